"""A kitchen in which everything goes wrong, and the evening goes on: supervision and death watch, told in five courses."""

from functools import partial

import anyio

from actors import (
    Actor,
    ActorSystem,
    Backoff,
    ReplyStuckError,
    Terminated,
    events,
    one_for_one,
    rest_for_one,
)

SOON = Backoff(first=0.05, jitter=0)


class BurntError(Exception):
    """A dish was left on the fire."""


class Cook(Actor[str, str]):
    """Counts the dishes since it came to work: a new cook begins at one."""

    def __init__(self, name: str = "the cook") -> None:
        self.name, self.dishes = name, 0

    async def reply(self, dish: str, /) -> str:
        """Cook one dish."""
        if dish == "air":
            raise ValueError("there is no such dish")
        if dish == "soufflé":
            raise BurntError(dish)
        if dish == "stew":
            await stubborn_stew()
        self.dishes += 1
        return f"{dish}, number {self.dishes} of {self.name}"

    async def on_stop(self) -> None:
        """Also called on an instance that is replaced."""
        print(f"    {self.name} leaves")

    async def on_restart(self, error: BaseException, /) -> None:
        """Called on the new instance, before on_start."""
        print(f"    {self.name} is replaced, because of {type(error).__name__}")


class Doomed(Cook):
    """Works until the gas is gone; without gas no cook can start."""

    gas = True

    async def on_start(self) -> None:
        """Light the stove."""
        if not Doomed.gas:
            raise OSError("no gas")


class HeadWaiter(Actor[str, None]):
    """Wants to know who goes."""

    async def reply(self, path: str, /) -> None:
        """Watch this actor."""
        ref = self.context.system.find(path)
        if ref is not None:
            self.context.watch(ref)

    async def on_terminated(self, terminated: Terminated, /) -> None:
        """Called once, when the name is free again."""
        print(f"    the head waiter hears: {terminated.ref.name} has {terminated.reason}")


async def stubborn_stew() -> None:
    """Does not end when it is told to."""
    until = anyio.current_time() + 1
    while anyio.current_time() < until:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.1)


async def main() -> None:
    """Five courses."""
    async with ActorSystem("kitchen") as system:
        with system.events(events.Restarted) as told:
            cook = await system.spawn(Cook, name="cook", supervision=one_for_one(times=10, backoff=SOON))

            print("1. An error in an ask is the answer, and the cook goes on.")
            print("   ", await cook.ask("soup"))
            try:
                await cook.ask("air")
            except ValueError as error:
                print(f"    the guest hears: {error}")
            print("   ", await cook.ask("pie"))

            print(
                "2. An error in a tell goes to the supervision: a new cook takes over the queue, without what was burnt."
            )
            await cook.tell("soufflé")
            print("   ", await cook.ask("soup"))

            print("3. A reply that refuses to end is left to itself; its late effects are nobody's.")
            run = await cook.request("stew")
            await anyio.sleep(0.05)
            receipt = await run.interrupt("the guest has gone", grace=0.2)
            print(f"    the receipt says: {receipt.outcome}")
            try:
                await run
            except ReplyStuckError:
                print("    the guest hears: it was stuck")
            print("   ", await cook.ask("pie"))

            print("4. Who works with what another one makes goes with him: rest_for_one.")
            line = rest_for_one(backoff=SOON)
            names = ("grill", "sauce", "plates")
            stations = [await system.spawn(partial(Cook, name), name=name, supervision=line) for name in names]
            await stations[1].tell("soufflé")
            for steak in [await station.ask("steak") for station in stations]:
                print("   ", steak)

            print("5. One restart too many: it is given up, and whoever watches hears of it.")
            waiter = await system.spawn(HeadWaiter, name="waiter")
            doomed = await system.spawn(Doomed, name="doomed", supervision=one_for_one(times=2, backoff=SOON))
            await waiter.ask("doomed")
            Doomed.gas = False
            await doomed.tell("soufflé")
            await doomed.join()
            await waiter.stop()

            restarts = [event.path for event in told.pending() if isinstance(event, events.Restarted)]
            print("The evening is over. Restarted:", ", ".join(restarts))


anyio.run(main)
