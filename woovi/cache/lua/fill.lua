-- Keep what was loaded, if the lease is still ours: an invalidation, or a later load, wins over a load that began before.
--
-- KEYS     as in read.lua
-- ARGV     1 owner   2 value   3 fresh (ms)   4 servable stale after that (ms)   5 kept for failures after it is fresh (ms)
--          6 fingerprint   7 pace: no other load begins within this many ms of the begin of this one, 0 for none
-- RETURNS  1 kept (or, with fresh = 0, that there is nothing to keep was accepted), 0 refused
--
-- Ages count from the begin of the load, by the server's clock. Who waits is woken by "w:<entry>" on c:news.
-- The same call twice: the second is refused and changes nothing. Failure policy: the lease ends by itself.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local e = redis.call('HMGET', KEYS[1], 'o', 'u', 'a', 'b', 'q')
if e[1] ~= ARGV[1] or now >= tonumber(e[2]) then return 0 end

local fresh, began, pace = e[3] + ARGV[3], tonumber(e[3]), tonumber(ARGV[7])
local life = math.max(fresh + math.max(ARGV[4] + 0, ARGV[5] + 0) - now, began + pace - now)
redis.call('HDEL', KEYS[1], 'o', 'u', 'a', 'b', 'q')
if tonumber(ARGV[3]) <= 0 then
  redis.call('HDEL', KEYS[1], 'v')
else
  redis.call('HSET', KEYS[1], 'v', ARGV[2], 'g', e[4], 's', fresh, 'w', fresh + ARGV[4], 'd', now - began, 'f', ARGV[6])
end
if pace > 0 then redis.call('HSET', KEYS[1], 'm', began + pace) end
redis.call('PEXPIRE', KEYS[1], math.max(life, 0))
if redis.call('PTTL', KEYS[2]) < life then redis.call('PEXPIRE', KEYS[2], life) end
if e[5] then redis.call('PUBLISH', 'c:news', 'w:' .. KEYS[1]) end
return 1
