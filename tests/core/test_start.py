"""How an actor starts: `spawn` returns when `on_start` has succeeded, and says what is wrong when it cannot."""

from __future__ import annotations

from collections.abc import Hashable

import anyio
import anyio.lowlevel
import attrs
import pytest

from actors import Actor, ActorStopped, SpawnError, UsageError
from tests._support import Call, Doer, Gate, quiet, turns


class Starting(Doer):
    """Its on_start waits at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    async def on_start(self):
        await self.gate(self)
        self.log.append("started")

    async def on_stop(self):
        self.log.append("stopped")


async def test_spawn_returns_when_on_start_has_succeeded(system):
    actor = Starting()
    async with anyio.create_task_group() as group:
        call = Call(group, system.spawn, actor, name="slow")
        await actor.gate.began.wait()
        await quiet()
        assert not call.over
        assert system.find("slow").statistics().state == "starting"
        actor.gate.open()
        ref = await call.result()
    assert actor.log == ["started"]
    assert ref.statistics().state == "idle"


async def test_messages_to_an_actor_that_starts_wait_until_it_has_started(system):
    """`find` knows it already."""
    actor = Starting()
    async with anyio.create_task_group() as group:
        call = Call(group, system.spawn, actor, name="slow")
        await actor.gate.began.wait()
        ask = Call(group, system.find("slow").ask, "hello")
        await quiet()
        assert not ask.over
        actor.gate.open()
        await call.result()
        assert await ask.result() == "hello"


async def test_an_error_in_on_start_is_raised_by_spawn_and_leaves_nothing(system):
    """R51: children that it has started end with it; the name is free; who has asked is told."""

    class Broken(Starting):
        async def on_start(self):
            self.child = await self.context.spawn(Doer(), name="child")
            await self.gate(self)
            raise ZeroDivisionError

    actor = Broken()
    async with anyio.create_task_group() as group:
        call = Call(group, system.spawn, actor, name="broken")
        await actor.gate.began.wait()
        ask = Call(group, system.find("broken").ask, "hello")
        await quiet()
        actor.gate.open()
        with pytest.raises(ZeroDivisionError):
            await call.result()
        with pytest.raises(ActorStopped):
            await ask.result()
    assert actor.log == []
    assert actor.child.statistics().state == "dead"
    assert system.find("broken") is None
    again = await system.spawn(Doer(), name="broken")
    assert await again.ask("hello") == "hello"


async def test_a_spawn_that_is_cancelled_leaves_nothing(system):
    """R51: on_start is cut, on_stop does not run, the name is free."""
    actor = Starting()
    async with anyio.create_task_group() as group:
        call = Call(group, system.spawn, actor, name="slow")
        await actor.gate.began.wait()
        call.scope.cancel()
        assert await call.ended() == "cancelled"
        await quiet()
    assert actor.log == []
    assert system.find("slow") is None
    assert await (await system.spawn(Doer(), name="slow")).ask("hello") == "hello"


async def test_an_actor_can_tell_itself_something_in_on_start(system):
    class Eager(Doer):
        async def on_start(self):
            self.context.ref.tell_nowait(self.first)
            await self.context.ref.tell(self.first)
            await turns(2)
            self.log.append("started")

        async def first(self, _actor):
            self.log.append("first")

    actor = Eager()
    ref = await system.spawn(actor)
    await ref.ask("hello")
    assert actor.log == ["started", "first", "first"]


async def test_an_on_start_that_is_no_async_def_is_a_clear_error(system):
    """A hook that is an ordinary method by mistake: nobody hangs."""

    class Forgetful(Doer):
        def on_start(self):
            self.log.append("not async")

    with anyio.fail_after(1), pytest.raises((SpawnError, TypeError), match="on_start"):
        await system.spawn(Forgetful(), name="forgetful")
    assert system.find("forgetful") is None


async def test_a_handle_interrupt_that_is_no_async_def_is_a_clear_error(system):
    """Like a reply that is none: at spawn, or to the asker; in words that say what to write."""

    class Forgetful(Doer):
        def handle_interrupt(self, message, interruption, /):
            return "not async"

    gate = Gate()
    with pytest.raises((SpawnError, TypeError), match="handle_interrupt"):  # noqa: PT012 - what raises is the block
        ref = await system.spawn(Forgetful())
        run = await ref.request(gate)
        await gate.began.wait()
        ref.interrupt_nowait()
        await run


# -- what cannot be spawned


class NoReply(Actor):
    pass


class NoAssemble(Actor):
    async def reply(self, message, /):
        yield message


class NotAsync(Actor):
    def reply(self, message, /):
        return message


async def test_an_instance_is_spawned_once(system):
    """An instance is one actor: also after it has ended, and after it has failed to start."""
    actor = Doer()
    ref = await system.spawn(actor)
    with pytest.raises(SpawnError, match="spawned before"):
        await system.spawn(actor, name="second")
    await ref.stop()
    with pytest.raises(SpawnError, match="spawned before"):
        await system.spawn(actor)
    assert system.find("second") is None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (NoReply, "no reply"),
        (NoAssemble, "assemble"),
        (lambda: "no actor", "not an Actor"),
        ("no actor", "takes an actor"),
        (None, "takes an actor"),
    ],
)
async def test_what_cannot_be_an_actor_is_refused_with_a_clear_error(new_system, what, words):
    """Promise: 'a generator without assemble is a clear error at spawn'."""
    async with new_system() as system:
        with pytest.raises(SpawnError, match=words):
            await system.spawn(what)
        assert system.roots == {}


async def test_a_reply_that_is_neither_async_def_nor_generator_is_the_askers_error(system):
    ref = await system.spawn(NotAsync())
    with pytest.raises(TypeError, match=r"NotAsync.reply must be an async def or an async generator"):
        await ref.ask("hello")


@pytest.mark.parametrize("name", ["", "a/b", "/"])
async def test_a_name_that_cannot_be_is_refused(system, name):
    with pytest.raises(SpawnError, match="name"):
        await system.spawn(Doer(), name=name)
    with pytest.raises(UsageError, match="name"):
        type(system).__bases__[0](name)


async def test_a_name_is_unique_among_siblings_and_free_again_after_the_end(system):
    """R57: free when `stop` has returned; children of others may have it."""
    first = await system.spawn(Doer(), name="one")
    with pytest.raises(SpawnError, match="taken by system/one"):
        await system.spawn(Doer(), name="one")

    async def spawn_child(actor):
        return await actor.context.spawn(Doer(), name="one")

    child = await first.ask(spawn_child)
    assert (first.path, child.path, child.name) == ("system/one", "system/one/one", "one")
    assert (system.find("one"), system.find("system/one/one")) == (first, child)
    await first.stop()
    assert (system.find("one"), system.find("one/one")) == (None, None)
    second = await system.spawn(Doer(), name="one")
    assert await second.ask("hello") == "hello"


async def test_names_belong_to_one_system(new_system):
    """R21, for names: two systems in one process know nothing of each other's."""
    async with new_system("one") as one, new_system("other") as other:
        first, second = await one.spawn(Doer(), name="it"), await other.spawn(Doer(), name="it")
        assert (one.find("it"), other.find("it")) == (first, second)
        assert (one.find("one/it"), one.find("other/it")) == (first, None)
        assert (first.path, second.path) == ("one/it", "other/it")


async def test_a_name_that_is_made_is_never_one_that_is_taken(system):
    """Otherwise one actor would silently take the place of another."""
    taken = [await system.spawn(Doer(), name=f"doer-{number}") for number in range(1, 5)]
    made = [await system.spawn(Doer()) for _ in range(5)]
    assert len({ref.path for ref in taken + made}) == 9
    for ref in taken + made:
        assert system.find(ref.path) == ref
        assert await ref.ask("hello") == "hello"


@pytest.mark.parametrize("timeout", [0, -1])
async def test_a_time_limit_that_cannot_be_is_refused(system, timeout):
    with pytest.raises(UsageError, match="interrupt_timeout"):
        await system.spawn(Doer(), interrupt_timeout=timeout)
    with pytest.raises(UsageError, match="drain_timeout"):
        type(system).__bases__[0](drain_timeout=-1)


# -- what can be


@attrs.frozen
class Frozen(Actor):
    greeting: str

    async def reply(self, message, /):
        await anyio.lowlevel.checkpoint()
        return f"{self.greeting}, {message}, by {self.context.ref.name}"


@attrs.define(slots=True, eq=True)
class Unhashable(Actor):
    words: list[str] = attrs.field(factory=list)

    async def reply(self, message, /):
        self.words.append(message)
        await anyio.lowlevel.checkpoint()
        return self.words


class AlwaysEqual(Doer):
    def __eq__(self, _other):
        return True

    def __hash__(self):
        return 1


class Slots(Actor):
    __slots__ = ("count",)

    def __init__(self):
        self.count = 0

    async def reply(self, message, /):
        self.count += 1
        return self.count


async def test_attrs_classes_can_be_actors_frozen_and_unhashable_ones_too(system):
    """The machinery goes by identity."""
    assert not isinstance(Unhashable(), Hashable)
    frozen = await system.spawn(Frozen("Hello"), name="frozen")
    twin = await system.spawn(Frozen("Hello"), name="twin")
    one, other = await system.spawn(Unhashable()), await system.spawn(Unhashable())
    assert await frozen.ask("Anna") == "Hello, Anna, by frozen"
    assert await twin.ask("Anna") == "Hello, Anna, by twin"
    assert await one.ask("mine") == ["mine"]
    assert await other.ask("his") == ["his"]
    hang = Gate()
    equal = [await system.spawn(AlwaysEqual()) for _ in range(3)]
    run = await equal[0].request(hang)
    await hang.began.wait()
    assert await equal[1].ask("hello") == "hello"
    assert (await equal[2].interrupt()).outcome == "idle"
    assert (await equal[0].interrupt()).outcome == "interrupted"
    assert run.status == "interrupted"
    slots = await system.spawn(Slots())
    assert [await slots.ask(None), await slots.ask(None)] == [1, 2]


async def test_messages_and_replies_may_be_anything(system):
    """Unhashable, falsy, exceptions, classes, coroutines functions: none is looked into."""

    class Echo(Actor):
        async def reply(self, message, /):
            return message

    ref = await system.spawn(Echo())
    for message in (None, 0, "", [], {}, False, ValueError("x"), ValueError, Echo, ..., float("nan")):
        assert await ref.ask(message) is message


async def test_a_class_or_a_function_makes_the_actor(system):
    assert await (await system.spawn(Doer)).ask("hello") == "hello"
    assert (await (await system.spawn(lambda: Frozen("Hi"))).ask("Anna")).startswith("Hi, Anna, by frozen-")


async def test_an_actor_has_no_context_before_it_is_spawned():
    with pytest.raises(UsageError, match="before it is spawned"):
        _ = Doer().context


async def test_spawning_needs_an_open_system(new_system):
    system = new_system()
    with pytest.raises(ActorStopped, match="not open"):
        await system.spawn(Doer())
    async with system:
        assert await (await system.spawn(Doer())).ask("hello") == "hello"
    with pytest.raises(ActorStopped, match="not open"):
        await system.spawn(Doer())
    with pytest.raises(UsageError, match="has been used"):
        await system.__aenter__()
