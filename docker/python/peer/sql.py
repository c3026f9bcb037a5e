"""The SQL of the workload, in both ways drivers write parameters."""

import re

from peer.census.geo import COLUMNS

SELECT_GEO = "SELECT id FROM geo_record WHERE fileid = $1 AND logrecno = $2 AND stusab = $3"
SELECT_GEOS = (
    "SELECT logrecno, id FROM geo_record WHERE fileid = $1 AND logrecno = ANY($2::int4[]) AND stusab = $3"
)
SELECT_KEYS = "SELECT d.id FROM dictionary_item d JOIN matrix m ON m.id = d.matrix WHERE m.segment = $1 ORDER BY d.id"
INSERT_ELEMENT = "INSERT INTO data_element (geo_record, dictionary_item, value) VALUES ($1, $2, $3)"
INSERT_UNNEST = (
    "INSERT INTO data_element (geo_record, dictionary_item, value) "
    "SELECT * FROM unnest($1::int4[], $2::int4[], $3::numeric[])"
)
INSERT_GEO = (
    f"INSERT INTO geo_record ({', '.join(COLUMNS)}) "
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(COLUMNS) + 1))})"
)
ELEMENT_COLUMNS = ("geo_record", "dictionary_item", "value")
COPY = f"COPY data_element ({', '.join(ELEMENT_COLUMNS)}) FROM STDIN"


NODE_COLUMNS = (
    "key", "bootstrapped", "broadcast_address", "cluster_name", "protocol_version", "data_center", "rack",
    "gossip_generation", "host_id", "listen_address", "native_version", "partitioner", "release_version", "rpc_port",
    "started_at", "load", "is_seed", "schema_version", "tokens", "truncated_at", "disk_bytes", "checksum",
)  # fmt: skip
SELECT_NODE = f"SELECT {', '.join(NODE_COLUMNS)} FROM node WHERE key = $1"


def percent(sql: str) -> str:
    """The same with `%s` for each parameter, which stand in order in all of these."""
    return re.sub(r"\$[0-9]+", "%s", sql)


def insert_rows(rows: int) -> str:
    """One INSERT of so many rows."""
    places = ", ".join(f"(${3 * row + 1}, ${3 * row + 2}, ${3 * row + 3})" for row in range(rows))
    return f"INSERT INTO data_element ({', '.join(ELEMENT_COLUMNS)}) VALUES {places}"


def sizes(batch: int) -> list[int]:
    """Rows of the statements that `multirow` is made of, the most first: a batch, and powers of two for what is left
    of it, so that any number of rows is made of few statements, which can all be prepared before the clock starts."""
    fractions = [1 << power for power in reversed(range(batch.bit_length())) if 1 << power < batch]
    return [batch, *fractions]
