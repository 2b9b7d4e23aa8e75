-- Read the entries of a tenant's stream that come after a number.
--
-- KEYS     1 stream, 2 epoch, as in append.lua
-- ARGV     1 number: what comes after it   2 entries at most
-- RETURNS  the epoch (0 where there is no stream), the first entry's number (0 where there is none), then their frames
--
-- Reads only. Without Redis, or where the stream begins later than asked, the log is read from PostgreSQL.

local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
local reply = { tonumber(redis.call('GET', KEYS[2]) or '0'), 0 }
for n, entry in ipairs(found) do
  if n == 1 then reply[2] = tonumber(string.match(entry[1], '^%d+')) end
  reply[n + 2] = entry[2][2]
end
return reply
