"""The plain stepper: every policy rule spelled out, one step at a time, one object per sequence.

It keeps no sums and skips nothing, so that it can be read against the engines' own schedulers; the loop of the product
must give the same times to rounding.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from ridgewise.simulation.request import Requests
from ridgewise.simulation.system import System


@dataclass(eq=False)
class Sequence:
    """``ready`` tokens lie in the cache, ``made`` tokens of the answer exist, ``blocks`` are held."""

    i: int
    prompt: int
    output: int
    ready: int = 0
    made: int = 0
    blocks: int = 0
    reads: bool = True
    ended: bool = False

    @property
    def need(self) -> int:
        """Tokens to compute before the next one is made."""
        return self.prompt + self.made - self.ready

    @property
    def decodes(self) -> bool:
        return self.ended or not self.reads


@dataclass
class Reference:
    """One replica, stepped; after :meth:`run` the times are in ``first`` and ``finish`` (NaN: refused)."""

    system: System
    asked: Requests
    clock: float = 0.0
    steps: int = 0
    put_back: int = 0
    gaps: list[float] = field(default_factory=list)

    def run(self) -> Reference:
        asked, system = self.asked, self.system
        self.arrival = asked.arrival.copy()
        self.first, self.finish = (np.full(len(asked), np.nan) for _ in range(2))
        self.refused: set[int] = set()
        self.hits = np.zeros(len(asked), dtype=int)
        self.free = system.blocks
        self.kept: OrderedDict[int, int] = OrderedDict()
        followers = set(asked.follower[asked.follower >= 0].tolist())
        self.coming = sorted((float(self.arrival[i]), i) for i in range(len(asked)) if i not in followers)
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.share = system.policy.reserve
        while self.coming or self.waiting or self.running:
            if not self.waiting and not self.running:
                self.clock = max(self.clock, self.coming[0][0])
            while self.coming and self.coming[0][0] <= self.clock:
                _, i = self.coming.pop(0)
                self.waiting.append(Sequence(i, int(asked.prompt[i]), int(asked.output[i])))
            self.step()
            assert 0 <= sum(self.kept.values()) <= self.free <= system.blocks
            assert self.free + sum(s.blocks for s in self.running) == system.blocks
        return self

    def step(self) -> None:
        policy = self.system.policy
        before = len(self.running)
        if policy.mixed:
            full = self.make_room()
            taken = self.read(full)
            decoding = [s for s in self.running if s.decodes and s.i not in taken]
        else:
            taken = self.read(False)
            if not taken:
                self.make_room()
            decoding = [] if taken else [s for s in self.running if s.decodes]
        if not taken and not decoding:
            assert len(self.running) < before or not self.running or self.refused
            return
        chunks = [(cached, new) for cached, new in taken.values()]
        context = sum(s.ready for s in decoding) / len(decoding) if decoding else 0.0
        began = self.clock
        self.clock += self.system.times.seconds(len(decoding), context, chunks)
        self.steps += 1
        for s in decoding:
            if not policy.reserve_all and s.ready % policy.block == 0:
                self.take(1, s)
            s.ready += 1
            self.gaps.append(self.clock - began)
        if decoding:
            self.share = max(self.share - policy.reserve_less, policy.reserve_least)
        order = {i: place for place, i in enumerate(taken)}  # what ends in one step: decoding ones first
        for s in sorted(self.running, key=lambda s: (s.i in order, order.get(s.i, s.i))):
            if s in decoding or (s.i in taken and s.need == taken[s.i][1]):
                if s.i in taken:
                    s.ready += taken[s.i][1]
                    s.reads = False
                s.made += 0 if s.ended else 1
                if s.made == 1:
                    self.first[s.i] = self.clock
                if s.made == s.output and not s.ended:
                    self.end(s)
            elif s.i in taken:
                s.ready += taken[s.i][1]
        if policy.whole and all(s.ended for s in self.running):
            for s in self.running:
                self.free += s.blocks
            self.running.clear()

    def make_room(self) -> bool:
        """Whether somebody had to be put back so that everyone's next token has room."""
        policy, full = self.system.policy, False
        if policy.reserve_all:
            return False

        def need() -> int:
            return sum(s.decodes and s.ready % policy.block == 0 for s in self.running)

        while need() > self.free and len(self.running) > 1:
            last = self.running.pop()
            self.free += last.blocks
            last.ready = last.blocks = 0
            last.reads = True
            self.waiting.appendleft(last)
            self.put_back += 1
            full = True
        return full

    def read(self, full: bool) -> dict[int, tuple[int, int]]:
        """Chunks of prompts for the next step, by request: tokens cached, tokens new."""
        policy, system = self.system.policy, self.system
        decoding = [s for s in self.running if s.decodes]
        budget = system.tokens - (len(decoding) if policy.mixed else 0)
        taken: dict[int, tuple[int, int]] = {}
        for s in self.running:
            if not s.decodes and not s.ended and budget > 0:
                chunk = min(s.need, budget)
                taken[s.i] = (s.ready, chunk)
                budget -= chunk
        if any(not s.decodes and not s.ended and taken.get(s.i, (0, 0))[1] < s.need for s in self.running):
            return taken
        while self.waiting and budget > 0 and not full:
            if len(self.running) >= system.sequences or (policy.whole and decoding):
                break
            s = self.waiting[0]
            total = s.prompt + s.output
            large = math.ceil(total / policy.block) > system.blocks or total > system.longest
            if large or (not policy.chunked and s.prompt > system.tokens):
                self.waiting.popleft()
                self.refused.add(s.i)
                self.follow(s.i)
                continue
            whole = s.prompt + s.made
            wanted = math.ceil((total if policy.reserve_all else whole) / policy.block)
            spare = self.free
            if policy.mixed and not policy.reserve_all:
                spare -= sum(x.ready % policy.block == 0 for x in decoding)
            if self.share > 0:
                left = sum(x.output - x.made for x in self.running)
                spare -= math.ceil(left * self.share / policy.block) + math.ceil((s.output - s.made) / policy.block)
            if wanted > spare and self.running:
                break
            group, cached = int(self.asked.group[s.i]), 0
            if policy.prefix and group in self.kept and s.made == 0:
                usable = min(int(self.asked.shared[s.i]), s.prompt - 1) // policy.block
                cached = min(usable, self.kept[group]) * policy.block
            chunk = whole - cached
            if chunk > budget:
                if not policy.chunked and whole <= system.tokens:
                    break
                chunk = budget
            self.waiting.popleft()
            if cached:
                self.kept.pop(group)
                self.hits[s.i] = cached
            self.running.append(s)
            self.take(wanted, s)
            s.ready = cached
            taken[s.i] = (cached, chunk)
            budget -= chunk
            if chunk < s.need:
                break
        return taken

    def take(self, blocks: int, s: Sequence) -> None:
        self.free -= blocks
        s.blocks += blocks
        while sum(self.kept.values()) > self.free:
            group, held = next(iter(self.kept.items()))
            missing = sum(self.kept.values()) - self.free
            if held <= missing:
                self.kept.pop(group)
            else:
                self.kept[group] = held - missing

    def end(self, s: Sequence) -> None:
        self.finish[s.i] = self.clock
        s.ended = True
        self.follow(s.i)
        if self.system.policy.whole and s.output > 1:
            return
        self.running.remove(s)
        self.free += s.blocks
        group = int(self.asked.group[s.i])
        if self.system.policy.prefix and group >= 0:
            self.kept.pop(group, None)
            whole = (s.prompt + s.output - 1) // self.system.policy.block
            if whole:
                self.kept[group] = whole

    def follow(self, i: int) -> None:
        j = int(self.asked.follower[i])
        if j >= 0:
            self.arrival[j] = self.clock + self.asked.think[j]
            self.coming.append((float(self.arrival[j]), j))
            self.coming.sort()
