-- Block a subject from outside: somebody else, as a bank with Retry-After, has said how long.
--
-- KEYS     1 rl:{subject}:policy:b  string "level:until", as take.lua keeps it
-- ARGV     1 how long (microseconds)
-- RETURNS  1 where the block was set or prolonged, 0 where a longer one stands
--
-- Idempotent but for the moment it counts from. The level stays: the block is not the subject's fault.
-- Failure policy: the process that was told blocks by itself.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local level, till = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+):(%d+)$')
local ends = now + ARGV[1]
if (tonumber(till) or 0) >= ends then return 0 end
local kept = math.ceil(ARGV[1] / 1000) + 86400000
redis.call('SET', KEYS[1], (level or '0') .. ':' .. string.format('%.0f', ends), 'PX', string.format('%.0f', kept))
return 1
