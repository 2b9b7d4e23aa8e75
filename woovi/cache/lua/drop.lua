-- Invalidate one entry, and whatever is being loaded for it.
--
-- KEYS     1 the entry, as in read.lua
-- ARGV     1 the cache's name   2 fingerprint: drop this very value and no newer one; "" for any
-- RETURNS  1, or 0 where the value is another one (or none) and stays
--
-- With a fingerprint a load under way stays welcome: it is about to bring the newer value; and the pace stays.
-- Local tiers are told by "d:<name>" on c:news. Needs no memory, so it works on a full server.
-- Failure policy: raised to the caller, who alone knows what an old value may do.

local waited = redis.call('HGET', KEYS[1], 'q')
if ARGV[2] ~= '' then
  if redis.call('HGET', KEYS[1], 'f') ~= ARGV[2] then return 0 end
  redis.call('HDEL', KEYS[1], 'v', 'f')
else
  redis.call('DEL', KEYS[1])
  if waited then redis.call('PUBLISH', 'c:news', 'w:' .. KEYS[1]) end
end
redis.call('PUBLISH', 'c:news', 'd:' .. ARGV[1])
return 1
