# SPDX-License-Identifier: Apache-2.0
"""A small shop in front of a database: the queueing model behind the demo.

Nothing here is scripted but the speed of the database. Requests arrive at random; each looks into
a cache and on a miss needs one of N connections for as long as its query takes. When queries slow
down, waiters queue up, waits become timeouts, timeouts become errors and retries, and the circuit
breaker opens on the error ratio; when the database is well again, its trial calls succeed and it
closes. Time is the event loop's, so a test can run two minutes of it in a second.
"""

import asyncio
import collections
import math

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


class PoolTimeout(Exception):
    """No connection became free in time."""


class StatementTimeout(Exception):
    """The query was cancelled by the database's statement timeout."""


class NotPermitted(Exception):
    """The circuit breaker is open."""


class Database:
    """Answers a query after a log-normal time around mean_s(now); cancels after timeout_s."""

    def __init__(self, mean_s, timeout_s, rng):
        self.mean_s = mean_s
        self.timeout_s = timeout_s
        self.rng = rng

    async def query(self, weight=1.0):
        now = asyncio.get_running_loop().time()
        sigma = 0.6
        took = self.mean_s(now) * weight * self.rng.lognormvariate(-sigma * sigma / 2, sigma)
        if took > self.timeout_s:
            await asyncio.sleep(self.timeout_s)
            raise StatementTimeout
        await asyncio.sleep(took)
        return took


class Pool:
    """size connections, lent first come first served; acquire() gives up after timeout_s."""

    def __init__(self, size, timeout_s):
        self.size = size
        self.timeout_s = timeout_s
        self.active = 0
        self.timeouts = 0
        self._waiters = collections.deque()

    @property
    def pending(self):
        return len(self._waiters)

    async def acquire(self):
        """Takes a connection; returns the seconds it waited."""
        if self.active < self.size:
            self.active += 1
            return 0.0
        loop = asyncio.get_running_loop()
        start, turn = loop.time(), loop.create_future()
        self._waiters.append(turn)
        timer = loop.call_later(self.timeout_s, self._give_up, turn)
        try:
            await turn
        finally:
            timer.cancel()
        return loop.time() - start

    def _give_up(self, turn):
        if not turn.done():
            self._waiters.remove(turn)
            self.timeouts += 1
            turn.set_exception(PoolTimeout())

    def release(self):
        """Gives a connection back: to the longest waiter, if there is one."""
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1


class Breaker:
    """Opens when failures reach ratio of the last window calls; after open_s lets trials in."""

    def __init__(self, *, window=40, minimum=20, ratio=0.5, open_s=6.0, trials=5, on_change=None):
        self.state = CLOSED
        self.minimum = minimum
        self.ratio = ratio
        self.open_s = open_s
        self.trials = trials
        self.on_change = on_change
        self.rejected = 0
        self._calls = collections.deque(maxlen=window)
        self._reopen_at = 0.0
        self._started = 0

    def _move(self, state):
        before, self.state = self.state, state
        self._calls.clear()
        self._started = 0
        if state == OPEN:
            self._reopen_at = asyncio.get_running_loop().time() + self.open_s
        if self.on_change:
            self.on_change(before, state)

    def enter(self):
        """Asks to make a call; NotPermitted when it may not."""
        if self.state == OPEN and asyncio.get_running_loop().time() >= self._reopen_at:
            self._move(HALF_OPEN)
        if self.state == OPEN or (self.state == HALF_OPEN and self._started >= self.trials):
            self.rejected += 1
            raise NotPermitted
        self._started += 1
        return self.state

    def leave(self, entered_as, ok):
        """Says how the call went. A call from before the last change of state counts no more."""
        if entered_as != self.state:
            return
        self._calls.append(ok)
        failed = self._calls.count(False)
        needed = self.minimum if self.state == CLOSED else self.trials
        if len(self._calls) < needed:
            return
        if failed >= self.ratio * len(self._calls):
            self._move(OPEN)
        elif self.state == HALF_OPEN:
            self._move(CLOSED)

    @property
    def failure_rate(self):
        """Percent of failed calls in the window, -1 below the minimum."""
        if len(self._calls) < self.minimum:
            return -1.0
        return 100.0 * self._calls.count(False) / len(self._calls)


class Cache:
    """Least recently used, at most size entries, each valid for ttl_s."""

    def __init__(self, size, ttl_s):
        self.size = size
        self.ttl_s = ttl_s
        self.entries = collections.OrderedDict()
        self.evictions = 0

    def get(self, key):
        born = self.entries.get(key)
        if born is None or asyncio.get_running_loop().time() - born > self.ttl_s:
            return False
        self.entries.move_to_end(key)
        return True

    def put(self, key):
        self.entries[key] = asyncio.get_running_loop().time()
        self.entries.move_to_end(key)
        if len(self.entries) > self.size:
            self.entries.popitem(last=False)
            self.evictions += 1


class Zipf:
    """Draws 0..n-1, the k-th with weight 1/(k+1)^s: few products are looked at most."""

    def __init__(self, n, s, rng):
        self.rng = rng
        self.cumulative = []
        total = 0.0
        for k in range(n):
            total += 1.0 / math.pow(k + 1, s)
            self.cumulative.append(total)

    def draw(self):
        return self.rng.choices(range(len(self.cumulative)), cum_weights=self.cumulative)[0]


class Shop:
    """The service: routes, retries, and a meter (see instruments.py) that is told everything."""

    RETRIES = 2

    def __init__(self, database, pool, breaker, cache, meter, rng):
        self.database = database
        self.pool = pool
        self.breaker = breaker
        self.cache = cache
        self.meter = meter
        self.rng = rng
        self.products = Zipf(1500, 1.05, rng)

    async def request(self):
        """One request of one user, from start to answer."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        kind = self.rng.random()
        if kind < 0.80:
            method, route, work = "GET", "/products/:id", self._product
        elif kind < 0.93:
            method, route, work = "GET", "/orders", self._orders
        else:
            method, route, work = "POST", "/checkout", self._checkout
        await asyncio.sleep(self.rng.uniform(0.002, 0.008))
        try:
            await work()
            code = "200"
        except StatementTimeout:
            code = "504"
        except (PoolTimeout, NotPermitted):
            code = "503"
        self.meter.answered(method, route, code, loop.time() - start)

    async def _product(self):
        key = self.products.draw()
        hit = self.cache.get(key)
        self.meter.cache_get(hit)
        if not hit:
            await self._with_retries("select_product", 1.0)
            self.cache.put(key)
            self.meter.cache_put()

    async def _orders(self):
        await self._with_retries("select_orders", 1.2)

    async def _checkout(self):
        await self._with_retries("insert_order", 1.6)
        self.meter.order_placed()

    async def _with_retries(self, what, weight):
        for attempt in range(self.RETRIES + 1):
            try:
                await self._call(what, weight)
            except NotPermitted:
                self.meter.retried(attempt, False)
                raise
            except (PoolTimeout, StatementTimeout):
                if attempt == self.RETRIES:
                    self.meter.retried(attempt, False)
                    raise
                self.meter.retry()
                await asyncio.sleep(0.1 * 2**attempt * self.rng.uniform(0.5, 1.5))
            else:
                self.meter.retried(attempt, True)
                return

    async def _call(self, what, weight):
        """One database call under the breaker, with a connection of the pool."""
        loop = asyncio.get_running_loop()
        try:
            entered_as = self.breaker.enter()
        except NotPermitted:
            self.meter.not_permitted()
            raise
        start, ok = loop.time(), False
        try:
            waited = await self.pool.acquire()
            self.meter.acquired(waited)
            lent = loop.time()
            try:
                await self.database.query(weight)
                ok = True
            finally:
                self.pool.release()
                self.meter.queried(what, loop.time() - lent, ok)
        finally:
            self.breaker.leave(entered_as, ok)
            self.meter.called(loop.time() - start, ok)
