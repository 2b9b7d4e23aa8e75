-- Count one log-in, and say whether an unusual share of all log-ins fails.
--
-- KEYS     1 rl:{world}:login.alarm:a  hash, lives for two days: at (microseconds), failed, all (faded by the window),
--            usual_failed, usual_all (faded by a day), till (microseconds: the end of the alarm)
--          2 rl:{world}:login.alarm:a:ACCOUNT  of a log-in that did not fail: string, lives for the window. While it lives,
--            the account's log-ins are not counted again
-- ARGV     1 log-ins to count (0 = only look)   2 how many of them failed   3 window (microseconds)
--          4 failures below which there is no alarm
-- RETURNS  1 how long the alarm still lasts (microseconds, 0 = none)   2 whether this call began it (1 or 0)
--
-- A count fades by e in a window, so it is about what came in the last one. Failures are unusual where they are more than
-- half of the log-ins and three times their usual share; nine tenths always are, so that a patient attacker cannot teach
-- us that failing is usual. During an alarm nothing is learnt. Not idempotent; the door never sends a call again.
-- Failure policy: open, no alarm.

local DAY = 86400000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('HMGET', KEYS[1], 'at', 'failed', 'all', 'usual_failed', 'usual_all', 'till')
for each = 1, 6 do held[each] = tonumber(held[each]) or 0 end
local till = held[6]
local window = tonumber(ARGV[3])
if ARGV[1] == '0' or
    (KEYS[2] and not redis.call('SET', KEYS[2], '', 'NX', 'PX', string.format('%.0f', window / 1000))) then
  return {math.max(till - now, 0), 0}
end

local passed = math.max(now - held[1], 0)
local failed = held[2] * math.exp(-passed / window) + ARGV[2]
local all = held[3] * math.exp(-passed / window) + ARGV[1]
local usual_failed, usual_all = held[4], held[5]
local before = till > now
if not before then
  local fade = math.exp(-passed / DAY)
  usual_failed, usual_all = usual_failed * fade + ARGV[2], usual_all * fade + ARGV[1]
end
-- What was usual before this window; of fewer than a hundred log-ins nothing is said.
local older_failed, older_all = math.max(usual_failed - failed, 0), usual_all - all
local usual = older_all >= 100 and older_failed / older_all or 0
local unusual = math.min(math.max(0.5, 3 * usual), 0.9)
-- Rounded, because the first of thirty has faded a little when the thirtieth comes.
if failed + 0.5 >= tonumber(ARGV[4]) and failed >= unusual * all then till = now + window end

redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now), 'failed', failed, 'all', all,
  'usual_failed', usual_failed, 'usual_all', usual_all, 'till', string.format('%.0f', till))
redis.call('PEXPIRE', KEYS[1], 172800000)
return {math.max(till - now, 0), (till > now and not before) and 1 or 0}
