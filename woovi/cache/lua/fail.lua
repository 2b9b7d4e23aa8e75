-- Give the lease back: the load failed, or its process gave up.
--
-- KEYS     1 the entry, as in read.lua
-- ARGV     1 owner   2 pause: nobody tries again for so many ms, 0 for at once   3 why it failed
-- RETURNS  1, or 0 where the lease was not ours any more
--
-- A value that is there stays. The same call twice has the effect of one. Failure policy: the lease ends by itself.

local e = redis.call('HMGET', KEYS[1], 'o', 'q')
if e[1] ~= ARGV[1] then return 0 end
local pause = tonumber(ARGV[2])
redis.call('HDEL', KEYS[1], 'o', 'u', 'a', 'b', 'q')
if pause > 0 then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'm', time[1] * 1000 + math.floor(time[2] / 1000) + pause, 'x', ARGV[3])
  if redis.call('PTTL', KEYS[1]) < pause then redis.call('PEXPIRE', KEYS[1], pause) end
end
if e[2] then redis.call('PUBLISH', 'c:news', 'w:' .. KEYS[1]) end
return 1
