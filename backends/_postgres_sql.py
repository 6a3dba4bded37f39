"""What is said to PostgreSQL: one table, and statements that each take many runs at once.

A row says what is known of one run id: its ``state`` is ``run`` (registered), ``early`` (cancelled, not registered) or ``over``
(a tombstone), and holds ``until`` a time in seconds since the epoch. A registered run whose time is over has lost its owner; it
is kept for the time of an intent, so that a cancel is told so. Any other row whose time is over is as good as none.

Each statement is one atomic step for each of its rows: ``ON CONFLICT DO UPDATE`` locks the row and looks at its newest version.
Rows are taken in order, so that two statements never wait for each other in a circle.
"""

from __future__ import annotations

import hashlib

import attrs

NOW = "coalesce($2::float8, extract(epoch FROM clock_timestamp())::float8)"
NAME = r"((\w+|\"[^\"]+\")\.)?(\w+|\"[^\"]+\")"
# The parameters of all statements: $1 namespace, $2 clock, $3 lease, $4 tombstone, $5 intent_ttl, then their own.
KNOWN = "(r.until + CASE r.state WHEN 'run' THEN $5::float8 ELSE 0 END > (SELECT now FROM clock))"
KEPT = "(r.state <> 'over' AND r.requested_at IS NOT NULL AND {known})"


@attrs.frozen
class Statements:
    """The statements for one table.

    Args:
        table: its name, with its schema if that is not on the search path; in double quotes what needs them.

    Raises:
        ValueError: that is no name of a table.
    """

    table: str = attrs.field(validator=attrs.validators.matches_re(NAME))

    def channel(self, namespace: str) -> str:
        """On which cancels are notified; names of channels are short."""
        return "bargein_" + hashlib.sha256(f"{self.table}\0{namespace}".encode()).hexdigest()[:32]

    @property
    def lock(self) -> int:
        """The key of the advisory lock under which the table is created."""
        return int.from_bytes(hashlib.sha256(f"bargein\0{self.table}".encode()).digest()[:8], "big", signed=True)

    @property
    def create(self) -> tuple[str, str]:
        """Table and index. ``IF NOT EXISTS`` alone fails when many processes start at once; hence the lock."""
        index = self.table.rpartition(".")[2].strip('"') + "_by_state"
        table = (
            f"CREATE TABLE IF NOT EXISTS {self.table} (namespace text NOT NULL, run_id text NOT NULL, "
            f"state text NOT NULL CHECK (state IN ('run', 'early', 'over')), "
            f"until float8 NOT NULL, owner text NOT NULL, requested_at float8, reason text, author text, "
            f"PRIMARY KEY (namespace, run_id))"
        )
        return (
            table,
            f'CREATE INDEX IF NOT EXISTS "{index}" ON {self.table} (namespace, state, until)',
        )

    @property
    def enroll(self) -> str:
        """$6 run ids, $7 owners. What it does not return is registered by somebody else."""
        return self._insert(
            asked="unnest($6::text[], $7::text[]) AS asked (run_id, owner)",
            values="'run', clock.now + $3::float8, asked.owner, NULL::float8, NULL::text, NULL::text",
            changes=f"state = 'run', until = excluded.until, owner = excluded.owner, {self._keep_intent}",
            unless=f"r.state = 'run' AND r.until > {self._now} AND (excluded.owner = '' OR excluded.owner <> r.owner)",
        )

    @property
    def cancel(self) -> str:
        """$6 run ids, $7 reasons, $8 authors, $9 channel. It returns each as it is then, and notifies."""
        blank = f"NOT {KNOWN}"
        first = f"({blank} OR (r.state <> 'over' AND r.requested_at IS NULL AND r.until > {self._now}))"
        changes = ", ".join(
            [
                f"state = CASE WHEN {blank} THEN 'early' ELSE r.state END",
                f"until = CASE WHEN {blank} OR r.state = 'early' THEN excluded.until ELSE r.until END",
                f"owner = CASE WHEN {blank} THEN '' ELSE r.owner END",
                *(
                    f"{name} = CASE WHEN {first} THEN excluded.{name} ELSE r.{name} END"
                    for name in ("requested_at", "reason", "author")
                ),
            ]
        )
        return self._insert(
            asked="unnest($6::text[], $7::text[], $8::text[]) AS asked (run_id, reason, author)",
            values="'early', clock.now + $5::float8, '', clock.now, asked.reason, asked.author",
            changes=changes,
            unless="false",
            answer="""
                done.*, done.until <= clock.now AS gone,
                CASE WHEN done.state <> 'over' THEN pg_notify($9::text,
                    CASE WHEN octet_length(run_id) < 7000 THEN '=' || run_id ELSE '*' END) END
                FROM done, clock""",
        )

    @property
    def cleanup(self) -> str:
        """$6 run ids, $7 owners."""
        return self._insert(
            asked="unnest($6::text[], $7::text[]) AS asked (run_id, owner)",
            values="'over', clock.now + $4::float8, asked.owner, NULL::float8, NULL::text, NULL::text",
            changes="state = 'over', until = excluded.until, owner = '', requested_at = NULL, reason = NULL, author = NULL",
            unless=f"r.state = 'run' AND {KNOWN} AND excluded.owner <> '' AND excluded.owner <> r.owner",
        )

    @property
    def renew(self) -> str:
        """$6 run ids, $7 owners."""
        return self._insert(
            asked="unnest($6::text[], $7::text[]) AS asked (run_id, owner)",
            values="'run', clock.now + $3::float8, asked.owner, NULL::float8, NULL::text, NULL::text",
            changes=f"state = 'run', until = excluded.until, owner = excluded.owner, {self._keep_intent}",
            unless=f"{KNOWN} AND (r.state = 'over' OR (r.state = 'run' AND excluded.owner <> r.owner))",
        )

    @property
    def look(self) -> str:
        """$6 run ids."""
        return (
            f"WITH clock AS (SELECT {NOW} AS now, $3::float8, $4::float8) "
            f"SELECT run_id, state = 'run' AND until > clock.now AS active, requested_at, reason, author "
            f"FROM {self.table} AS r, clock WHERE namespace = $1 AND run_id = ANY($6::text[]) AND state <> 'over' AND {KNOWN}"
        )

    @property
    def list(self) -> str:
        """The active ones."""
        return (
            f"WITH clock AS (SELECT {NOW} AS now, $3::float8, $4::float8, $5::float8) "
            f"SELECT run_id, requested_at IS NOT NULL AS cancelled FROM {self.table}, clock "
            f"WHERE namespace = $1 AND state = 'run' AND until > clock.now"
        )

    @property
    def tidy(self) -> str:
        """$6 capacity: drop what is over, and what there is too much of. Whatever somebody works on is left for later."""
        too_many = " UNION ALL ".join(
            f"(SELECT run_id FROM {self.table} WHERE namespace = $1 AND state = '{state}' ORDER BY until DESC OFFSET $6::int)"
            for state in ("early", "over")
        )
        return (
            f"WITH clock AS (SELECT {NOW} AS now, $3::float8, $4::float8), too_many AS ({too_many}), doomed AS ("
            f"SELECT r.run_id FROM {self.table} AS r WHERE namespace = $1 AND (NOT {KNOWN} OR "
            f"(r.state <> 'run' AND r.run_id IN (SELECT run_id FROM too_many))) FOR UPDATE SKIP LOCKED) "
            f"DELETE FROM {self.table} WHERE namespace = $1 AND run_id IN (SELECT run_id FROM doomed)"
        )

    @property
    def _now(self) -> str:
        return "(SELECT now FROM clock)"

    @property
    def _keep_intent(self) -> str:
        kept = KEPT.format(known=KNOWN)
        return ", ".join(
            f"{name} = CASE WHEN {kept} THEN r.{name} END" for name in ("requested_at", "reason", "author")
        )

    def _insert(self, *, asked: str, values: str, changes: str, unless: str, answer: str = "* FROM done") -> str:
        return (
            f"WITH clock AS (SELECT {NOW} AS now, $3::float8 AS lease, $4::float8 AS tombstone, $5::float8 AS intent_ttl), "
            f"done AS (INSERT INTO {self.table} AS r (namespace, run_id, state, until, owner, requested_at, reason, author) "
            f"SELECT $1, asked.run_id, {values} FROM {asked}, clock ORDER BY asked.run_id "
            f"ON CONFLICT (namespace, run_id) DO UPDATE SET {changes} WHERE NOT ({unless}) "
            f"RETURNING r.run_id, r.state, r.until, r.requested_at, r.reason, r.author) SELECT {answer}"
        )
