-- Add entries to the end of a tenant's stream, each under its number in the log.
--
-- KEYS     1 stream: entry N has the id N-0 and one field, `e`, its frame    2 string: the stream's epoch
-- ARGV     1 entries to keep   2 time to live (ms)   3 "1": begin the stream anew   4... number, frame, number, frame ...
-- RETURNS  the number of the stream's last entry: below the last one given where there is a gap before them
--
-- A stream has no gap: an entry that does not follow the last one ends the call. One that is there already is passed
-- over; XADD would refuse its id, and that of any that comes too late. The epoch is the server's time, in microseconds,
-- when the stream began: it changes when Redis was emptied. Given twice, the entries are there once.
-- Without Redis the log is read from PostgreSQL; the next call finds the gap and is given what is missing.

local stream, epoch = KEYS[1], KEYS[2]
if ARGV[3] == '1' then redis.call('DEL', stream) end
local last
local tail = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if tail then
  last = tonumber(string.match(tail[1], '^%d+'))
else
  local time = redis.call('TIME')
  redis.call('SET', epoch, string.format('%.0f', time[1] * 1000000 + time[2]))
  last = ARGV[4] - 1
end
for n = 4, #ARGV, 2 do
  local seq = tonumber(ARGV[n])
  if seq > last + 1 then break end
  if seq == last + 1 then
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], ARGV[n] .. '-0', 'e', ARGV[n + 1])
    last = seq
  end
end
redis.call('PEXPIRE', stream, ARGV[2])
redis.call('PEXPIRE', epoch, ARGV[2])
return last
