-- Take one of a number of places, for as long as a lease.
--
-- KEYS     1 rl:{subject}:policy:s  sorted set of those inside, scored by the end of their lease (ms)
-- ARGV     1 id of who enters   2 places   3 lease (ms)
-- RETURNS  how many are inside with us, or 0 where all places are taken
--
-- Idempotent: who is inside gets its lease anew. Who leaves is removed (ZREM); who dies is, when its lease ends.
-- Failure policy: the caller's policy (`without_redis`; local counts as open, because a place is given back in seconds).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local inside = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then inside = inside - 1 end
if inside >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return inside + 1
