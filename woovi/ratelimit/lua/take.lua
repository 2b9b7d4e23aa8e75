-- Charge several buckets, all or none (GCRA: Generic Cell Rate Algorithm, ITU-T I.371). A bucket is one number, the
-- moment at which it will be full again: what is left of that time is its debt, and a debt of `burst` is an empty bucket.
--
-- KEYS     of each rule, in turn, all of one slot where there are slots:
--   rl:{subject}:policy    string, lives until the bucket is full: that moment, in microseconds
--   rl:{subject}:policy:b  only where the rule has blocks; string "level:until", remembered for a day after its end
--   then, for a reservation, rl:{subject}:r:ID  string "1": not settled yet
-- ARGV     1 how long a reservation may be settled (ms), 0 = no reservation; then three a rule:
--   burst (microseconds), cost (microseconds; 0 = only look, below 0 = give back), manner:
--     ''         refuses
--     'shadow'   only says that it would have refused; charged for itself
--     '60,300'   refuses, and a refusal blocks the subject for so many seconds, longer each time
-- RETURNS  for each rule its debt in microseconds, or -1 - debt where it refused; then, for each rule with blocks, how
--          long its block still lasts (microseconds, 0 = none). Nothing was charged if a rule other than a shadow refused.
--
-- A refused try during a block does not prolong it. A clock that goes back, or a limit that was cut, leaves no debt above
-- one bucket. The same call twice is charged twice: the door never sends a call again.
-- Failure policy: each policy's own (`without_redis`: open, closed, local).

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.call('MGET', unpack(KEYS))
local memory = 86400000000 -- microseconds
local rules = (#ARGV - 1) / 3
local debts, left = {}, {}
local allowed, key = true, 1

local function integer(number)
  return string.format('%.0f', number)
end

local function block(key, level, steps, debt, room)
  local seconds = {}
  for each in string.gmatch(steps, '%d+') do seconds[#seconds + 1] = each * 1000000 end
  local length = seconds[math.min(level, #seconds)]
  redis.call('SET', KEYS[key + 1], level .. ':' .. integer(now + length), 'PX', integer((length + memory) / 1000))
  -- The block is the wait: one try is free when it ends.
  local full = now + math.min(debt, length + room)
  redis.call('SET', KEYS[key], integer(full), 'PX', integer(math.ceil((full - now) / 1000)))
  return length
end

for rule = 1, rules do
  local burst, cost, manner = tonumber(ARGV[3 * rule - 1]), tonumber(ARGV[3 * rule]), ARGV[3 * rule + 1]
  local debt = math.max((tonumber(held[key]) or 0) - now, 0)
  if debt > burst then -- noted at once, or whoever is refused would wait for it again at every try
    debt = burst
    redis.call('SET', KEYS[key], integer(now + debt), 'PX', integer(math.ceil(debt / 1000)))
  end
  local refused = cost > 0 and debt + cost > burst
  if manner ~= '' and manner ~= 'shadow' then
    local level, till = string.match(held[key + 1] or '', '^(%d+):(%d+)$')
    local rest = math.max((tonumber(till) or 0) - now, 0)
    if rest > 0 then
      refused = cost > 0
    elseif refused then
      rest = block(key, (tonumber(level) or 0) + 1, manner, debt, math.max(burst - cost, 0))
    end
    left[#left + 1] = rest
    key = key + 1
  end
  if refused and manner ~= 'shadow' then allowed = false end
  debts[rule] = refused and -1 - debt or debt
  key = key + 1
end

key = 1
for rule = 1, rules do
  local cost, manner = tonumber(ARGV[3 * rule]), ARGV[3 * rule + 1]
  if allowed and cost ~= 0 and debts[rule] >= 0 then
    local debt = math.max(debts[rule] + cost, 0)
    if debt > 0 then
      redis.call('SET', KEYS[key], integer(now + debt), 'PX', integer(math.ceil(debt / 1000)))
    else
      redis.call('DEL', KEYS[key])
    end
    debts[rule] = debt
  end
  key = key + ((manner == '' or manner == 'shadow') and 1 or 2)
end

if allowed and ARGV[1] ~= '0' then redis.call('SET', KEYS[#KEYS], '1', 'PX', ARGV[1]) end
for _, rest in ipairs(left) do debts[#debts + 1] = rest end
return debts
