-- Count the different things that a subject asks for, in a few bytes (HyperLogLog: Flajolet et al., 2007; +-0.8 %).
--
-- KEYS     1 rl:{subject}:policy:d  HyperLogLog, lives for the window
-- ARGV     1 the thing   2 window (ms)
-- RETURNS  1 how many different things so far, this one included   2 ms until the count begins anew
--
-- Idempotent. Failure policy: open, as only scraping is slowed by it.

redis.call('PFADD', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {redis.call('PFCOUNT', KEYS[1]), left}
