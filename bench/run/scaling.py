"""What the measured price of an event means for 10, 1,000 and 100,000 a second: replicas by a simulation of one, and Temporal's side on paper."""

import heapq
import math
import random

# Settings of the program: permits for starts of one source, and Shopify's deadline less the time to write the answer.
PERMITS, DEADLINE, LEAST_TIME = 256, 4.0 - 0.15, 0.3
CORES = 2
# A healthy Temporal: median and p99 of a start, seconds.
MEDIAN, P99 = 0.010, 0.060
DEVIATION = math.log(P99 / MEDIAN) / 2.326
MEAN = MEDIAN * math.exp(DEVIATION**2 / 2)
RATES = (10, 1_000, 100_000)
# Of Temporal Cloud, for each namespace: docs.temporal.io/cloud/limits. Both grow with use, by the last seven days.
ACTIONS_A_SECOND, REQUESTS_A_SECOND = 500, 2_000
# A start, and what a workflow of one activity writes after it; one write at a time in a shard, of some 5 ms, at half of that.
WRITES, WRITES_A_SHARD = 7, 100


def temporal(source):
    return source.lognormvariate(math.log(MEDIAN), DEVIATION)


def replica(cpu, rate, stop=0.0, seconds=10, seed=1):
    """One replica that gets so many events a second, three times as many in the first; from the fifth second on Temporal does not answer for `stop`
    seconds. Gives the share of 200s, and p50 and p99 of all answers in milliseconds."""
    source = random.Random(seed)
    stop = (5, 5 + stop)
    arrivals, now = [], 0.0
    while now < seconds:
        now += source.expovariate(rate * (3 if now < 1 else 1))
        arrivals.append(now)
    cores, calls, answers = [0.0] * CORES, [], []
    for arrived in arrivals:
        free = heapq.heappop(cores)
        ready = max(arrived, free) + cpu
        heapq.heappush(cores, ready)
        while calls and calls[0] <= ready:
            heapq.heappop(calls)
        begin = ready if len(calls) < PERMITS else max(ready, heapq.heappop(calls))
        took = temporal(source)
        end = begin + took if not stop[0] <= begin < stop[1] else stop[1] + took
        is_late = begin > arrived + DEADLINE - LEAST_TIME or end > arrived + DEADLINE
        if begin <= arrived + DEADLINE - LEAST_TIME:
            heapq.heappush(calls, min(end, arrived + DEADLINE))
        answers.append((not is_late, min(end - arrived, DEADLINE)))
    times = sorted(time for _, time in answers)
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))] * 1000
    return sum(good for good, _ in answers) / len(answers), at(0.5), at(0.99)


def simulated(cpu):
    """Of one replica at several rates, with and without a stop."""
    rows = []
    for rate in (100, 1_000, 5_000, 10_000):
        (share, middle, late), (held, _, latest) = replica(cpu, rate), replica(cpu, rate, stop=2.0)
        rows.append([f"{rate:,}", f"{rate * cpu / CORES:.0%}", f"{share:.2%}", f"{middle:.0f}", f"{late:,.0f}", f"{held:.2%}", f"{latest:,.0f}"])
    return rows


def on_paper(cpu):
    rows = []
    for rate in RATES:
        busy = rate * cpu
        in_flight = rate * MEAN
        # Cores and permits used to half, so that some may be away; two, so that one may.
        replicas = max(2, math.ceil(busy / CORES / 0.5), math.ceil(in_flight / PERMITS / 0.5))
        rows.append([f"{rate:,}", f"{busy:.3g}", f"{replicas:,}", f"{math.ceil(in_flight):,}", f"{rate * WRITES:,}",
                     f"{2 ** max(2, math.ceil(math.log2(rate * WRITES / WRITES_A_SHARD))):,}",
                     "default" if rate < ACTIONS_A_SECOND / 2 else f"{rate / ACTIONS_A_SECOND:,.0f} times the default",
                     f"{rate * 86_400 * 30 / 1e6:,.0f} million"])
    return rows
