-- Before a commit: say that the row is about to change. From now on its readers ask the database.
--
-- KEYS     as in look.lua
-- ARGV     1 intent (an id)   2 deadline (ms from now): after it the writer is dead, or has committed long ago
-- RETURNS  1
--
-- Deletes first: a server that is full lets a script go on that has begun to write. The same call twice has the effect of
-- one. Failure policy: the caller writes an outbox event in the transaction, and readers are told by the database.

redis.call('HDEL', KEYS[1], 'v', 'o', 'u')
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[2]), ARGV[2] + 0))
return 1
