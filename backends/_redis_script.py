"""What happens inside Redis: one script, which takes any number of steps at once and is carried out without interruption.

Keys, with the namespace in braces so that a cluster keeps them in one place:

- ``{bargein}:run:RUN_ID``: a hash with the ``state`` of one run id: ``run`` (registered), ``early`` (cancelled, not registered)
  or ``over`` (a tombstone); until when that holds; who owns it; when, why and by whom it was cancelled. It expires by itself.
- ``{bargein}:active``, ``{bargein}:waiting``, ``{bargein}:over``: the run ids in each state, by the end of their time.
- ``{bargein}:cancelled``: the channel on which the run id of each cancel is published.

In agno's layout a flag ``"0"`` or ``"1"`` per run (``agno:run:cancellation:RUN_ID``) stands beside the hash. Whoever reads or
writes only flags is understood: a flag without a hash is a run that agno has registered, or cancelled before it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors._cancellation._intent import CancelIntent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._steps import Step

SCRIPT = """
local active, waiting, over = KEYS[1], KEYS[2], KEYS[3]
local clock, lease, tombstone, intent_ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local capacity, channel, prefix, flag_ttl = tonumber(ARGV[5]), ARGV[6], ARGV[7], tonumber(ARGV[8])
local now = clock
if not now then
    local time = redis.call('TIME')
    now = time[1] + time[2] / 1000000
end

local function number(value)
    return string.format('%.6f', value)
end

-- What is known of a run id: nil, or a table with `state`.
local function read(key, flag)
    local found = redis.call('HMGET', key, 'state', 'until', 'owner', 'at', 'reason', 'by')
    local run, expired = nil, false
    if found[1] then
        run = {state = found[1], till = tonumber(found[2]), owner = found[3] or ''}
        run.at, run.reason, run.by = found[4], found[5], found[6]
        if run.till + (run.state == 'run' and intent_ttl or 0) <= now then
            run, expired = nil, found[1] == 'early'
        end
    end
    if flag then
        local value = redis.pcall('GET', flag)
        if type(value) == 'table' then value = false end  -- an error: it is something else
        if run and run.state ~= 'over' and not value then
            run = nil  -- cleaned up by somebody who knows only flags
        end
        if value == '0' and not (run and run.state == 'run') then
            run = {state = 'run', till = now + flag_ttl, owner = ''}
        elseif value == '1' and not run and not expired then
            run = {state = 'early', till = now + intent_ttl, at = '0', reason = ''}
        elseif value == '1' and run and run.state == 'run' and not run.at then
            run.at, run.reason = '0', ''
        end
    end
    if run and run.state == 'run' then
        run.gone = run.till <= now
    end
    return run
end

local function crowd_out(index)
    redis.call('ZREMRANGEBYSCORE', index, '-inf', number(now))
    local excess = redis.call('ZCARD', index) - capacity
    if excess > 0 then
        for _, id in ipairs(redis.call('ZRANGE', index, 0, excess - 1)) do
            redis.call('DEL', prefix .. id)
        end
        redis.call('ZREMRANGEBYRANK', index, 0, excess - 1)
    end
end

local indexes = {run = active, early = waiting, over = over}

local function write(key, flag, id, run)
    redis.call('DEL', key)
    for state, index in pairs(indexes) do
        if state ~= run.state then
            redis.call('ZREM', index, id)
        end
    end
    if run.till <= now then  -- a tombstone of no time
        if flag then redis.call('DEL', flag) end
        return
    end
    redis.call('HSET', key, 'state', run.state, 'until', number(run.till), 'owner', run.owner or '')
    if run.at then
        redis.call('HSET', key, 'at', run.at, 'reason', run.reason or '')
        if run.by then redis.call('HSET', key, 'by', run.by) end
    end
    local kept = run.till - now + (run.state == 'run' and intent_ttl or 0)
    redis.call('PEXPIRE', key, math.ceil(kept * 1000))
    redis.call('ZADD', indexes[run.state], number(run.till), id)
    if run.state == 'run' then
        redis.call('ZREMRANGEBYSCORE', active, '-inf', number(now - intent_ttl))
    else
        crowd_out(indexes[run.state])
    end
    if flag then
        if run.state == 'over' then
            redis.call('DEL', flag)
        else
            local ttl = run.state == 'run' and flag_ttl or intent_ttl
            redis.call('SET', flag, run.at and '1' or '0', 'PX', math.ceil(ttl * 1000))
        end
    end
end

local function answer(outcome, run)
    if run and run.at then
        return {outcome, run.at, run.reason or '', run.by or false}
    end
    return {outcome}
end

local steps = {}

function steps.enroll(key, flag, id, owner)
    local run = read(key, flag)
    if run and run.state == 'run' and not run.gone and (owner == '' or owner ~= run.owner) then
        return {'duplicate'}
    end
    local new = {state = 'run', till = now + lease, owner = owner}
    if run and run.state ~= 'over' then
        new.at, new.reason, new.by = run.at, run.reason, run.by
    end
    write(key, flag, id, new)
    return answer('enrolled', new)
end

function steps.cancel(key, flag, id, reason, by, anonymous)
    local run = read(key, flag)
    if run and run.state == 'over' then return {'finished'} end
    if run and run.gone then return {'owner_gone'} end
    run = run or {state = 'early'}
    if run.state == 'early' then
        run.till = now + intent_ttl
    end
    if not run.at then
        run.at, run.reason, run.by = number(now), reason, nil
        if anonymous == '' then run.by = by end
    end
    write(key, flag, id, run)
    redis.call('PUBLISH', channel, id)
    return answer(run.state == 'run' and 'registered' or 'stored', run)
end

function steps.cleanup(key, flag, id, owner)
    local run = read(key, flag)
    if not (run and run.state == 'run' and owner ~= '' and owner ~= run.owner) then
        write(key, flag, id, {state = 'over', till = now + tombstone})
    end
    return {'done'}
end

function steps.renew(key, flag, id, owner)
    local run = read(key, flag) or {state = 'run', owner = owner}
    if run.state == 'early' or (run.state == 'run' and run.owner == owner) then
        run.state, run.owner, run.till = 'run', owner, now + lease
        write(key, flag, id, run)
    end
    return {'done'}
end

function steps.look(key, flag, id)
    local run = read(key, flag)
    if not run or run.state == 'over' then return {'unknown'} end
    return answer(run.state == 'run' and not run.gone and 'active' or 'inactive', run)
end

function steps.list()
    return redis.call('ZRANGEBYSCORE', active, '(' .. number(now), '+inf')
end

local answers = {}
local per_job = flag_ttl > 0 and 2 or 1
for number_of_job = 0, (#ARGV - 8) / 5 - 1 do
    local at = 9 + number_of_job * 5
    local key = KEYS[4 + number_of_job * per_job]
    local flag = per_job == 2 and KEYS[5 + number_of_job * per_job] or nil
    -- A key that somebody has damaged must not cost the others their answers.
    local done, found = pcall(steps[ARGV[at]], key, flag, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    if not done then
        found = {'error', type(found) == 'table' and found.err or tostring(found)}
    end
    answers[#answers + 1] = found
end
return answers
"""


@attrs.frozen
class Layout:
    """Names of keys.

    Args:
        namespace: of ours.
        flag_prefix: of agno's; None without agno.
        flag_ttl: seconds that agno keeps a flag.
    """

    namespace: str
    flag_prefix: str | None
    flag_ttl: int

    @property
    def channel(self) -> str:
        """Where cancels are published."""
        return f"{{{self.namespace}}}:cancelled"

    @property
    def prefix(self) -> str:
        """Of the hash of a run."""
        return f"{{{self.namespace}}}:run:"

    def keys(self, steps: Sequence[Step]) -> list[bytes]:
        """The keys that these steps may touch."""
        keys = [encoded(f"{{{self.namespace}}}:{index}") for index in ("active", "waiting", "over")]
        for step in steps:
            keys.append(encoded(self.prefix + step.run_id))
            if self.flag_prefix is not None:
                keys.append(encoded(self.flag_prefix + step.run_id))
        return keys

    @property
    def flag_time(self) -> int:
        """Seconds that a flag lives, 0 if there are none."""
        return 0 if self.flag_prefix is None else self.flag_ttl


def arguments(step: Step) -> list[bytes]:
    """A step as the script takes it."""
    parts = (step.name, step.run_id, step.text, step.by or "", "anonymous" if step.by is None else "")
    return [encoded(part) for part in parts]


def encoded(value: str) -> bytes:
    """A text for the server. Any text: what cannot be encoded would fail the steps of others too."""
    return value.encode("utf-8", "surrogatepass")


def text(value: Any) -> str:
    """What a client gave, which may decode by itself or not."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else str(value)


def intent_in(run_id: str, answer: Sequence[Any]) -> CancelIntent | None:
    """The intent in an answer of the script, if there is one."""
    if len(answer) < 4:  # noqa: PLR2004 - outcome, time, reason, author
        return None
    by = answer[3]
    return CancelIntent(run_id, text(answer[2]), None if by is None else text(by), float(text(answer[1])))
