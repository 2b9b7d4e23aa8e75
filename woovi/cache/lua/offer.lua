-- Bring what was read under the lease of look.lua.
--
-- KEYS     1 v:{name:pk}, as in look.lua
-- ARGV     1 owner   2 version   3 value   4 life (ms)
-- RETURNS  1 taken, 0 refused: a write began meanwhile (it took the lease away), or a later version was here
--
-- The same call twice: the second is refused and changes nothing. Failure policy: the lease ends by itself.

local time = redis.call('TIME')
local e = redis.call('HMGET', KEYS[1], 'o', 'u', 'n')
if e[1] ~= ARGV[1] or time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(e[2]) then return 0 end
redis.call('HDEL', KEYS[1], 'o', 'u')
if e[3] and tonumber(e[3]) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'n', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
