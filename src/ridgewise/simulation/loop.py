"""The event loop: one replica, step by step, jumping over runs of steps in which nothing changes.

One source for two ways of running it. As plain Python the columns are memoryviews, which index to floats and ints;
with numba (:func:`compiled`) they are arrays. Both do the same operations in the same order, so results are equal.

A *step* holds one token of every decoding sequence and, by the policy, chunks of prompts. Of the sequences only sums
are kept (how many decode, their contexts in all, how many of them fill a cache block at which step), so that a step
costs the same whatever the batch; who ends when is a heap of step numbers. While nothing arrives, ends, is admitted
or put back, the seconds of a step are affine in the step number, and a run of k of them is a closed sum.

Sequences, in tokens: ``prompt`` are read, ``output`` are made, ``ready`` lie in the cache. The first token is there
when the prompt is; a decode step takes the last token in and gives the next, so ready = prompt + made − 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

# Whole numbers of a replica's state: decode steps so far; sequences that decode; blocks free (with those kept for
# prefixes); the sequence whose prompt is read in part, and tokens of it read; head and tail of the queue; requests put
# back; keys in the heap; last of the running list and its length; requests ended; steps; requests to come; blocks
# kept; groups kept longest and last; requests refused; runs logged; sequences that joined since the last decode step;
# times put back; tokens found in the cache; most blocks held; ended members of a batch that ends as a whole; prompt
# tokens read.
(STEP, DECODING, FREE, PARTIAL, PART_READY, HEAD, TAIL, STACKED, DUE, LAST, RUNNING, ENDED, STEPS, COMING, KEPT, OLDEST,
 NEWEST, REFUSED, LOGGED, LATE, PUT_BACK, HIT, PEAK, GONE, READ) = range(25)  # fmt: skip
STATE = 25
# Seconds, sums and ratios of a replica's state: clock and end of the last decode step; seconds of steps; share of the
# answers to come that admission keeps free; width of a bin of the series; tokens in the caches of decoding sequences;
# tokens that running sequences will still make.
CLOCK, LAST_STEP, BUSY, RATIO, WIDTH, CONTEXT, LEFT = range(7)
REAL_STATE = 7
# Whole numbers of a policy: see :class:`ridgewise.simulation.policies.Policy`; ROWS are tokens a step computes per
# sequence, PERIOD the steps in which a sequence fills a block, KINDS the kinds of attention.
SEQUENCES, TOKENS, BLOCKS, BLOCK, MIXED, RESERVE_ALL, WHOLE, CHUNKED, ROWS, LONGEST, PREFIX, PERIOD, KINDS = range(13)
RULES = 13
# Ratios of a policy: tokens a step makes per sequence; the least RATIO, and what a decode step takes off it.
YIELD, RESERVE_LEAST, RESERVE_LESS = range(3)
RATIOS = 3
# What became of a request: it waits, is answered, was refused, decodes, is being read.
WAITING, SERVED, TOO_LARGE, DECODES, READS = range(5)
#: Bins of gaps between tokens: 2 % apart from 10 µs on.
GAPS, GAP_LEAST, GAP_RATIO = 900, 1e-5, 1.02
#: Bins of the series over time; their width doubles when time runs past them.
BINS = 256
#: Rows of the series: seconds of steps, sequence-seconds, block-seconds, tokens read, tokens made.
S_BUSY, S_BATCH, S_KV, S_READ, S_MADE = range(5)
SERIES = 5
#: Columns of a logged run of steps: begin and end [s], steps, sequences that decode, prompt tokens, blocks held.
LOG = 6


def push(heap, size, key):
    """A key into a heap of ``size`` keys, smallest first."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        other = heap[above]
        if other <= key:
            break
        heap[place] = other
        place = above
    heap[place] = key
    return size + 1


def pop(heap, size):
    """The heap without its smallest key; the size that is left."""
    size -= 1
    key = heap[size]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    return size


def push_timed(times, items, size, time, item):
    """A request into the heap of those to come, by time, then by number."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if times[above] < time or (times[above] == time and items[above] <= item):
            break
        times[place] = times[above]
        items[place] = items[above]
        place = above
    times[place] = time
    items[place] = item
    return size + 1


def pop_timed(times, items, size):
    """The heap of those to come without its first."""
    size -= 1
    time = times[size]
    item = items[size]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            times[right] < times[child] or (times[right] == times[child] and items[right] < items[child])
        ):
            child = right
        if times[child] > time or (times[child] == time and items[child] >= item):
            break
        times[place] = times[child]
        items[place] = items[child]
        place = child
    times[place] = time
    items[place] = item
    return size


def attend(context, kinds, windows, flops, reads, write):
    """Seconds that one decoding sequence of this context adds to a step, compute and memory apart."""
    computing = 0.0
    moving = write
    for e in range(kinds):
        seen = context + 1.0
        if seen > windows[e]:
            seen = windows[e]
        computing += flops[e] * seen
        moving += reads[e] * seen
    return computing, moving


def pairs(cached, new, window, spread):
    """Query–key pairs of ``new`` tokens after ``cached`` ones; see :meth:`ridgewise.work.step.Slice.pairs`.

    ``spread``: 1 where attention stays inside chunks of the window, 0 where the window slides.
    """
    if spread == 1:
        after = cached + new
        full = math.floor(after / window)
        rest = after - full * window
        before_full = math.floor(cached / window)
        before_rest = cached - before_full * window
        whole = (full - before_full) * (window * (window + 1.0) / 2.0)
        return whole + rest * (rest + 1.0) / 2.0 - before_rest * (before_rest + 1.0) / 2.0
    growing = window - cached
    if growing < 0.0:
        growing = 0.0
    if growing > new:
        growing = new
    return growing * cached + growing * (growing + 1.0) / 2.0 + (new - growing) * window


def span(cached, new, window):
    """Cached tokens that a chunk reads."""
    length = cached + new
    most = window + new - 1.0
    return length if length < most else most


def products(rows, prompt, sequences, base, head, apart, row_at, row_share, prompt_at, prompt_share, width):
    """Seconds of everything but attention: ``rows`` tokens of answers, ``prompt`` tokens of prompts, the next token
    of ``sequences`` sequences."""
    total = base[rows + prompt] + head[sequences]
    if width > 0:
        r = row_at[rows]
        p = prompt_at[prompt]
        a = row_share[rows]
        b = prompt_share[prompt]
        low = apart[r * width + p] * (1.0 - b) + apart[r * width + p + 1] * b
        high = apart[(r + 1) * width + p] * (1.0 - b) + apart[(r + 1) * width + p + 1] * b
        total += low * (1.0 - a) + high * a
    return total


def gap_bin(seconds, edges):
    """The bin of a gap between tokens."""
    low = 0
    high = GAPS
    while high - low > 1:
        middle = (low + high) >> 1
        if edges[middle] <= seconds:
            low = middle
        else:
            high = middle
    return low


def spread_out(series, real, begin, end, batch, held, read, made):
    """A run of steps into the bins of the series."""
    while end >= real[WIDTH] * BINS:
        for row in range(5):
            for place in range(BINS // 2):
                at = row * BINS
                series[at + place] = series[at + 2 * place] + series[at + 2 * place + 1]
            for place in range(BINS // 2, BINS):
                series[row * BINS + place] = 0.0
        real[WIDTH] = real[WIDTH] * 2.0
    width = real[WIDTH]
    first = int(begin / width)
    last = int(end / width)
    length = end - begin
    for place in range(first, last + 1):
        low = begin if place == first else place * width
        high = end if place == last else (place + 1) * width
        part = high - low
        series[S_BUSY * BINS + place] += part
        series[S_BATCH * BINS + place] += part * batch
        series[S_KV * BINS + place] += part * held
        share = part / length if length > 0.0 else 1.0
        series[S_READ * BINS + place] += share * read
        series[S_MADE * BINS + place] += share * made


def forget(state, kept, older, newer, group, block):
    """A group's kept blocks are no longer kept: they stay free."""
    state[KEPT] -= kept[group] // block
    kept[group] = 0
    before = older[group]
    after = newer[group]
    if before >= 0:
        newer[before] = after
    else:
        state[OLDEST] = after
    if after >= 0:
        older[after] = before
    else:
        state[NEWEST] = before


def take(state, blocks, kept, older, newer, block):
    """So many free blocks are taken; kept prefixes give way, the longest unused first, from their end."""
    state[FREE] -= blocks
    while state[KEPT] > state[FREE]:
        group = state[OLDEST]
        missing = state[KEPT] - state[FREE]
        if kept[group] // block <= missing:
            forget(state, kept, older, newer, group, block)
        else:
            kept[group] -= missing * block
            state[KEPT] -= missing


def keep(state, kept, older, newer, group, tokens, block):
    """What a request leaves behind is kept for the next one of its group."""
    if kept[group] > 0:
        forget(state, kept, older, newer, group, block)
    whole = tokens // block
    if whole > 0:
        kept[group] = whole * block
        state[KEPT] += whole
        older[group] = state[NEWEST]
        newer[group] = -1
        if state[NEWEST] >= 0:
            newer[state[NEWEST]] = group
        else:
            state[OLDEST] = group
        state[NEWEST] = group


def leave(state, i, before, after):
    """A sequence out of the list of running ones, which is in order of admission."""
    p = before[i]
    q = after[i]
    if p >= 0:
        after[p] = q
    if q >= 0:
        before[q] = p
    else:
        state[LAST] = p
    state[RUNNING] -= 1


def advance(
    until, most, state, real, rules, ratios,
    arrival, prompt, output, along, group, shared, follower, think,
    scheduled, first, finish, status, made, joined, due, put_back, hit,
    queue, stack, heap, coming_time, coming, before, after, fresh, phases, kept, older, newer, gaps, edges, series, log,
    base, head, dec, apart, row_at, row_share, prompt_at, prompt_share, width,
    windows, spreads, flops, reads, write, chunk_flops, chunk_reads, chunk_write, draft, felt,
):  # fmt: skip
    """Run until the clock reaches ``until`` [s] or nothing is left to do before it; at most ``most`` passes.

    Returns whether it stopped for ``most``. Everything else is in the columns.
    """
    block = rules[BLOCK]
    period = rules[PERIOD]
    kinds = rules[KINDS]
    gain = ratios[YIELD]
    number = len(arrival) + 1
    passes = 0
    while True:
        clock = real[CLOCK]
        while state[COMING] > 0 and coming_time[0] <= clock:
            queue[state[TAIL]] = coming[0]
            state[TAIL] += 1
            state[COMING] = pop_timed(coming_time, coming, state[COMING])
        upcoming = math.inf
        if state[HEAD] < state[TAIL]:
            upcoming = arrival[queue[state[HEAD]]]
        elif state[COMING] > 0:
            upcoming = coming_time[0]
        if state[RUNNING] == 0 and state[STACKED] == 0 and upcoming > clock:
            if upcoming >= until:
                return False
            real[CLOCK] = upcoming
            continue
        if clock >= until:
            return False
        if passes >= most:
            return True
        passes += 1

        # Room in the cache for the next token of every sequence.
        need = 0
        short = False
        if rules[MIXED] == 1 and rules[RESERVE_ALL] == 0:
            need, short = make_room(
                clock, state, real, block, period, gain, prompt, output, finish, status, made, joined, put_back, stack,
                before, after, phases,
            )  # fmt: skip

        # Prompts: the one read in part goes on, then those that wait, first come first served.
        n = state[DECODING]
        budget = rules[TOKENS]
        if rules[MIXED] == 1:
            budget -= n * rules[ROWS]
        taken = 0
        sequences = 0
        reading_flops = 0.0
        reading_moves = 0.0
        joining = 0
        lacking = False
        if state[PARTIAL] >= 0 and budget > 0:
            i = state[PARTIAL]
            whole = prompt[i] + made[i]
            cached = state[PART_READY]
            chunk = whole - cached
            if chunk > budget:
                chunk = budget
            f, m = read_chunk(cached, chunk, kinds, windows, spreads, chunk_flops, chunk_reads, chunk_write)
            reading_flops += f
            reading_moves += m
            taken += chunk
            budget -= chunk
            sequences += 1
            state[PART_READY] = cached + chunk
            if cached + chunk == whole:
                fresh[joining] = i
                joining += 1
                state[PARTIAL] = -1
        admissible = state[PARTIAL] < 0 and budget > 0
        while admissible and budget > 0 and not short:
            if state[RUNNING] >= rules[SEQUENCES] or (rules[WHOLE] == 1 and state[DECODING] > 0):
                admissible = False
                break
            again = state[STACKED] > 0
            if again:
                i = stack[state[STACKED] - 1]
            else:
                if state[HEAD] == state[TAIL]:
                    break
                i = queue[state[HEAD]]
                if arrival[i] > clock:
                    break
                total = prompt[i] + output[i]
                if (
                    (total + block - 1) // block > rules[BLOCKS]
                    or total > rules[LONGEST]
                    or (rules[CHUNKED] == 0 and prompt[i] > rules[TOKENS])
                ):
                    status[i] = TOO_LARGE
                    finish[i] = clock
                    state[REFUSED] += 1
                    state[HEAD] += 1
                    state[COMING] = follow(i, clock, follower, think, arrival, coming_time, coming, state[COMING])
                    continue
            whole = prompt[i] + made[i]
            wanted = (whole + block - 1) // block
            if rules[RESERVE_ALL] == 1:
                wanted = (prompt[i] + output[i] + block - 1) // block
            here = along[i] == 1 and made[i] == 0
            spare = state[FREE] - need
            if here and rules[RESERVE_ALL] == 0 and prompt[i] % block == 0:
                spare -= 1
            if real[RATIO] > 0.0:
                spare -= math.ceil(real[LEFT] * real[RATIO] / block) + (output[i] - made[i] + block - 1) // block
            if wanted > spare and state[RUNNING] > 0:
                admissible = False
                lacking = True
                break
            cached = 0
            g = group[i]
            if rules[PREFIX] == 1 and g >= 0 and made[i] == 0 and kept[g] > 0:
                cached = shared[i] if shared[i] < prompt[i] - 1 else prompt[i] - 1
                cached = cached // block * block
                if cached > kept[g]:
                    cached = kept[g]
            chunk = whole - cached
            if here:
                chunk = 0
            elif chunk > budget:
                if rules[CHUNKED] == 0 and whole <= rules[TOKENS]:
                    admissible = False
                    break
                chunk = budget
            if again:
                state[STACKED] -= 1
            else:
                state[HEAD] += 1
                scheduled[i] = clock
            if cached > 0:
                forget(state, kept, older, newer, g, block)
                hit[i] = cached
                state[HIT] += cached
            take(state, wanted, kept, older, newer, block)
            before[i] = state[LAST]
            after[i] = -1
            if state[LAST] >= 0:
                after[state[LAST]] = i
            state[LAST] = i
            state[RUNNING] += 1
            real[LEFT] += output[i] - made[i]
            if here:
                made[i] = 1
                first[i] = arrival[i]
                real[LEFT] -= 1.0
                join(
                    i, prompt[i], state, real, output, status, made, joined, due, heap, phases, period, block, gain,
                    number,
                )  # fmt: skip
                n = state[DECODING]
                if rules[MIXED] == 1:
                    budget -= rules[ROWS]
                    if rules[RESERVE_ALL] == 0:
                        need = phases[(period - state[STEP] % period) % period]
                continue
            status[i] = READS
            f, m = read_chunk(cached, chunk, kinds, windows, spreads, chunk_flops, chunk_reads, chunk_write)
            reading_flops += f
            reading_moves += m
            taken += chunk
            budget -= chunk
            sequences += 1
            if cached + chunk == whole:
                fresh[joining] = i
                joining += 1
            else:
                state[PARTIAL] = i
                state[PART_READY] = cached + chunk
                admissible = False
        if state[RUNNING] == 0 or (taken == 0 and n == 0):
            continue
        alone = taken > 0 and rules[MIXED] == 0
        if rules[MIXED] == 0 and not alone and rules[RESERVE_ALL] == 0:
            need, short = make_room(
                clock, state, real, block, period, gain, prompt, output, finish, status, made, joined, put_back, stack,
                before, after, phases,
            )  # fmt: skip
            n = state[DECODING]

        # How long the step takes, or how many steps alike follow each other and how long they take together.
        held = rules[BLOCKS] - state[FREE]
        count = 1
        if taken > 0:
            rows = 0 if alone else n * rules[ROWS]
            seconds = products(
                rows, taken, rows + sequences, base, head, apart, row_at, row_share, prompt_at, prompt_share, width
            )
            seconds += reading_flops if reading_flops > reading_moves else reading_moves
            if rows > 0:
                f, m = attend(real[CONTEXT] / n, kinds, windows, flops, reads, write)
                seconds += n * (f if f > m else m) + draft[n]
                bare = dec[n] + n * (f if f > m else m) + draft[n]
                seconds = bare + felt * (seconds - bare)
        else:
            context = real[CONTEXT] / n
            f, m = attend(context, kinds, windows, flops, reads, write)
            seconds = dec[n] + n * (f if f > m else m) + draft[n]
            while status[heap[0] % number] != DECODES or due[heap[0] % number] != heap[0] // number:
                state[DUE] = pop(heap, state[DUE])
            longest = heap[0] // number - state[STEP]
            if short or (lacking and real[RATIO] > ratios[RESERVE_LEAST]):
                longest = 1
            for e in range(kinds):
                if longest > 1 and context + 1.0 < windows[e]:
                    room = int((windows[e] - context - 1.0) / gain) + 1
                    if room < longest:
                        longest = room
            if longest > 1 and rules[RESERVE_ALL] == 0:
                longest = room_for(longest, state[FREE], n, state[STEP], phases, period)
            if longest > 1:
                count = longest
                f1, m1 = attend(context + gain * (count - 1), kinds, windows, flops, reads, write)
                while count > 1 and (f > m) != (f1 > m1):
                    count = count >> 1
                    f1, m1 = attend(context + gain * (count - 1), kinds, windows, flops, reads, write)
            if count > 1:
                slope = n * ((f1 if f > m else m1) - (f if f > m else m)) / (count - 1)
                end = upcoming if admissible and upcoming < until else until
                total = count * seconds + slope * (count * (count - 1) / 2.0)
                if total >= end - clock:
                    count = steps_to(end - clock, seconds, slope, count)
                    total = count * seconds + slope * (count * (count - 1) / 2.0)
                seconds = total
        ended = clock + seconds
        grown = 0
        if n > 0 and not alone and rules[RESERVE_ALL] == 0:
            grown = grown_blocks(count, n, state[STEP], phases, period)
        real[CLOCK] = ended
        real[BUSY] += seconds
        state[STEPS] += count
        state[READ] += taken
        if held + grown > state[PEAK]:
            state[PEAK] = held + grown
        spread_out(
            series, real, clock, ended, float(state[RUNNING]), held + 0.5 * grown, float(taken),
            0.0 if alone else n * count * gain,
        )  # fmt: skip
        if state[LOGGED] < len(log) // LOG:
            at = state[LOGGED] * LOG
            log[at] = clock
            log[at + 1] = ended
            log[at + 2] = float(count)
            log[at + 3] = 0.0 if alone else float(n)
            log[at + 4] = float(taken)
            log[at + 5] = float(held)
            state[LOGGED] += 1

        # One token more, or several, for everyone who decodes; those who have all of theirs leave.
        if n > 0 and not alone:
            if grown > 0:
                take(state, grown, kept, older, newer, block)
            state[STEP] += count
            real[CONTEXT] += n * count * gain
            real[LEFT] -= n * count * gain
            if real[RATIO] > 0.0:
                ratio = real[RATIO] - count * ratios[RESERVE_LESS]
                real[RATIO] = ratio if ratio > ratios[RESERVE_LEAST] else ratios[RESERVE_LEAST]
            if rules[MIXED] == 1:
                gaps[gap_bin(seconds / count, edges)] += n * count
            else:
                made_at = clock + seconds / count
                for j in range(state[LATE]):
                    gaps[gap_bin(made_at - first[fresh[rules[SEQUENCES] + j]], edges)] += 1
                if n > state[LATE]:
                    gaps[gap_bin(made_at - real[LAST_STEP], edges)] += n - state[LATE]
                gaps[gap_bin(seconds / count, edges)] += n * (count - 1)
                state[LATE] = 0
            real[LAST_STEP] = ended
            while state[DUE] > 0 and heap[0] // number <= state[STEP]:
                key = heap[0]
                i = key % number
                state[DUE] = pop(heap, state[DUE])
                if status[i] != DECODES or due[i] != key // number:
                    continue
                finish[i] = ended
                status[i] = SERVED
                state[ENDED] += 1
                state[COMING] = follow(i, ended, follower, think, arrival, coming_time, coming, state[COMING])
                steps = state[STEP] - joined[i]
                real[LEFT] -= output[i] - made[i] - steps * gain
                if rules[WHOLE] == 1:
                    state[GONE] += 1
                    continue
                leave(state, i, before, after)
                ready = prompt[i] + made[i] - 1
                slot = phase(ready, joined[i], period, block)
                phases[slot] -= 1
                state[DECODING] -= 1
                real[CONTEXT] -= ready + steps * gain
                blocks = (ready + block - 1) // block + held_more(slot, joined[i], steps, period)
                if rules[RESERVE_ALL] == 1:
                    blocks = (prompt[i] + output[i] + block - 1) // block
                state[FREE] += blocks
                if rules[PREFIX] == 1 and group[i] >= 0:
                    tokens = prompt[i] + output[i] - 1
                    keep(state, kept, older, newer, group[i], tokens if tokens < blocks * block else blocks * block,
                         block)  # fmt: skip
            if rules[WHOLE] == 1 and state[GONE] == state[DECODING]:
                state[FREE] = rules[BLOCKS]
                state[GONE] = 0
                state[DECODING] = 0
                state[RUNNING] = 0
                state[LAST] = -1
                real[LEFT] = 0.0
                for slot in range(period):
                    phases[slot] = 0
            if state[DECODING] == 0:
                real[CONTEXT] = 0.0
        for j in range(joining):
            i = fresh[j]
            whole = prompt[i] + made[i]
            made[i] += 1
            real[LEFT] -= 1.0
            if made[i] == 1:
                first[i] = ended
            else:
                gaps[gap_bin(ended - finish[i], edges)] += 1
            if made[i] < output[i]:
                join(
                    i, whole, state, real, output, status, made, joined, due, heap, phases, period, block, gain, number
                )
                if rules[MIXED] == 0 and made[i] == 1:
                    fresh[rules[SEQUENCES] + state[LATE]] = i
                    state[LATE] += 1
                continue
            finish[i] = ended
            status[i] = SERVED
            state[ENDED] += 1
            state[COMING] = follow(i, ended, follower, think, arrival, coming_time, coming, state[COMING])
            leave(state, i, before, after)
            blocks = (whole + block - 1) // block
            if rules[RESERVE_ALL] == 1:
                blocks = (prompt[i] + output[i] + block - 1) // block
            state[FREE] += blocks
            if rules[PREFIX] == 1 and group[i] >= 0:
                keep(state, kept, older, newer, group[i], whole, block)


def make_room(
    clock, state, real, block, period, gain, prompt, output, finish, status, made, joined, put_back, stack, before,
    after, phases,
):  # fmt: skip
    """Room in the cache for the next token of every sequence: those admitted last are put back until there is. The
    blocks that the step then needs, and whether anyone was put back."""
    need = phases[(period - state[STEP] % period) % period]
    short = False
    while need > state[FREE] and state[RUNNING] > 1:
        need -= return_last(
            clock, state, real, block, period, gain, prompt, output, finish, status, made, joined, put_back, stack,
            before, after, phases,
        )  # fmt: skip
        short = True
    return need, short


def return_last(
    clock, state, real, block, period, gain, prompt, output, finish, status, made, joined, put_back, stack, before,
    after, phases,
):  # fmt: skip
    """The sequence admitted last goes back to the head of the queue, to be computed anew; the blocks that the next
    step needs no longer for it."""
    i = state[LAST]
    leave(state, i, before, after)
    spared = 0
    ready = prompt[i] + made[i] - 1
    real[LEFT] -= output[i] - made[i]
    if status[i] == READS:
        state[PARTIAL] = -1
        state[FREE] += (ready + block) // block
    else:
        steps = state[STEP] - joined[i]
        slot = phase(ready, joined[i], period, block)
        phases[slot] -= 1
        spared = 1 if (slot + state[STEP]) % period == 0 else 0
        state[FREE] += (ready + block - 1) // block + held_more(slot, joined[i], steps, period)
        state[DECODING] -= 1
        real[CONTEXT] -= ready + steps * gain
        real[LEFT] += steps * gain
        more = int(steps * gain)
        if more > output[i] - made[i] - 1:
            more = output[i] - made[i] - 1
        made[i] += more
        finish[i] = real[LAST_STEP] if steps > 0 else clock  # its last token, for the gap to the next
    status[i] = WAITING
    put_back[i] += 1
    state[PUT_BACK] += 1
    stack[state[STACKED]] = i
    state[STACKED] += 1
    return spared


def read_chunk(cached, chunk, kinds, windows, spreads, flops, reads, write):
    """Seconds of the attention of a chunk of a prompt, compute and memory apart."""
    computing = 0.0
    moving = write * chunk
    for e in range(kinds):
        computing += flops[e] * pairs(float(cached), float(chunk), windows[e], spreads[e])
        moving += reads[e] * span(float(cached), float(chunk), windows[e])
    return computing, moving


def valid(heap, size, number, status, due):
    """The heap without the keys of sequences that were put back."""
    kept = 0
    for place in range(size):
        key = heap[place]
        i = key % number
        if status[i] == DECODES and due[i] == key // number:
            kept = push(heap, kept, key)
    return kept


def phase(ready, step, period, block):
    """Where in the round of ``period`` steps a sequence takes its next block: at steps with phase + step ≡ 0."""
    return (ready % block * period // block - step) % period


def join(
    i, ready, state, real, output, status, made, joined, due, heap, phases, period, block, gain, number
):  # fmt: skip
    """A sequence whose first token is there decodes from the next step on."""
    step = state[STEP]
    left = output[i] - made[i]
    joined[i] = step
    due[i] = step + math.ceil(left / gain)
    status[i] = DECODES
    phases[phase(ready, step, period, block)] += 1
    real[CONTEXT] += ready
    state[DECODING] += 1
    if state[DUE] == len(heap):
        state[DUE] = valid(heap, state[DUE], number, status, due)
    state[DUE] = push(heap, state[DUE], due[i] * number + i)


def follow(i, clock, follower, think, arrival, times, items, size):
    """The next request of the same user comes when this one's answer has been read."""
    j = follower[i]
    if j >= 0:
        arrival[j] = clock + think[j]
        return push_timed(times, items, size, arrival[j], j)
    return size


def held_more(slot, joined, steps, period):
    """Blocks a sequence has filled up since it began to decode: it takes one at each step where slot + step ≡ 0."""
    wait = (period - (slot + joined) % period) % period
    return 0 if steps <= wait else (steps - wait - 1) // period + 1


def grown_blocks(count, n, step, phases, period):
    """Blocks that all decoding sequences take in the next ``count`` steps."""
    more = count // period * n
    for j in range(count % period):
        more += phases[(period - (step + j) % period) % period]
    return more


def room_for(count, free, n, step, phases, period):
    """Steps, at most ``count``, for which the free blocks suffice; 1 at least."""
    if (count // period + 1) * n <= free:
        return count
    whole = free // n if n > 0 else count
    steps = whole * period
    left = free - whole * n
    if steps >= count:
        return count
    while steps < count:
        left -= phases[(period - (step + steps) % period) % period]
        if left < 0:
            break
        steps += 1
    return steps if steps > 1 else 1


def steps_to(gap, seconds, slope, most):
    """The fewest steps, the j-th of them seconds + j·slope long, that take ``gap`` seconds or more."""
    if gap <= seconds:
        return 1
    half = seconds - slope / 2.0
    root = half * half + 2.0 * slope * gap
    count = int(gap / seconds) if slope == 0.0 or root <= 0.0 else int(2.0 * gap / (half + math.sqrt(root)))
    if count > most:
        count = most
    if count < 1:
        count = 1
    while count < most and count * seconds + slope * (count * (count - 1) / 2.0) < gap:
        count += 1
    while count > 1 and (count - 1) * seconds + slope * ((count - 1) * (count - 2) / 2.0) >= gap:
        count -= 1
    return count


#: What the loop calls, each after what it calls itself.
PARTS = (
    push, pop, push_timed, pop_timed, attend, pairs, span, products, gap_bin, spread_out, forget, take, keep, leave,
    read_chunk, held_more, phase, valid, join, follow, grown_blocks, room_for, steps_to, return_last,
    make_room,
)  # fmt: skip


@cache
def compiled() -> Callable[..., bool] | None:
    """The loop compiled by numba from this very source; None without the extra ``fast``."""
    try:
        from numba import njit
    except ImportError:
        return None
    names: dict[str, Any] = dict(advance.__globals__)
    for part in (*PARTS, advance):
        copy = FunctionType(part.__code__, names, part.__name__, part.__defaults__)
        copy.__module__, copy.__qualname__ = part.__module__, part.__qualname__
        try:
            names[part.__name__] = njit(copy, cache=True)
        except RuntimeError:  # nowhere to keep it: compiled again by every process
            names[part.__name__] = njit(copy)
    made: Callable[..., bool] = names["advance"]
    return made
