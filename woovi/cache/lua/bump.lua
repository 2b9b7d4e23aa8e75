-- Invalidate every entry that has a tag, without looking for them: they were stamped with a number that is gone.
--
-- KEYS     1 c:{name:tenant}:g, as in read.lua
-- ARGV     1 the cache's name   2... tags; "*" is all of the tenant's
-- RETURNS  how many of the tags had a number
--
-- Loads under way were begun under the old numbers, so what they bring is not served. The same call twice has the effect
-- of one. Needs no memory, so it works on a full server. Failure policy: as drop.lua.

local had = redis.call('HDEL', KEYS[1], unpack(ARGV, 2))
redis.call('PUBLISH', 'c:news', 'd:' .. ARGV[1])
return had
