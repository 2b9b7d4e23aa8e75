-- After a commit: drop the intent, so that the next reader may bring the new value.
--
-- KEYS     as in look.lua
-- ARGV     1 intent, "" for none (then what is there is from before the change)
-- RETURNS  1
--
-- The same call twice has the effect of one. Failure policy: the intent's deadline; readers ask the database until then.

redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], 'v', 'o', 'u')
return 1
