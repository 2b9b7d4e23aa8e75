-- Take or keep a place among a subject's connections, across all processes.
--
-- KEYS     1 sorted set: connection ids by the end of their lease (ms of the server's clock)
-- ARGV     1 connection id   2 lease (ms)   3 places
-- RETURNS  1 with a place, 0 where all are taken
--
-- Ends of leases that passed make room first. Called again it renews: who has a place keeps it.
-- Without Redis everybody is let in: the limit keeps a fault from eating the servers and decides nothing.

local key, id = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
if not redis.call('ZSCORE', key, id) and redis.call('ZCARD', key) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', key, now + ARGV[2], id)
redis.call('PEXPIRE', key, ARGV[2])
return 1
