-- After a commit: drop the intent, and take the lease to bring the new value, if no other write is under way.
--
-- KEYS     as in look.lua
-- ARGV     1 intent, "" for none (then what is there is from before the change)   2 owner   3 lease (ms)
-- RETURNS  1: read the database and offer what you find; 0: another writer will
--
-- The value is read after this and not before: what another writer commits meanwhile takes the lease away, and so does
-- the loss of the key. A plain set-if-newer would bring back an old value after the newer one was lost.
-- The same call twice has the effect of one. Failure policy: the intent's deadline; readers ask the database until then.

redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], 'v', 'o', 'u')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
redis.call('HSET', KEYS[1], 'o', ARGV[2], 'u', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[3] + 0))
return 1
