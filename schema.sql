-- The schema of 2015's job: geographic records, the dictionary of what was counted, and the counts; and the table that
-- lookups read. `ingester rebuild` drops these tables, runs this file, loads the dictionary and fills `node`.

-- One place: a state, a county, a block … (the geographic header file, a row a record).
CREATE TABLE geo_record (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fileid    text    NOT NULL,  -- uSF1
    stusab    text    NOT NULL,  -- state, two letters
    sumlev    text    NOT NULL,  -- summary level: 040 state, 050 county, 101 block …
    geocomp   text    NOT NULL,  -- geographic component
    chariter  text    NOT NULL,  -- characteristic iteration: always 000 in SF1
    cifsn     text    NOT NULL,  -- characteristic iteration file sequence number
    logrecno  integer NOT NULL,  -- logical record number: joins a segment's line to its place
    region    text    NOT NULL,
    division  text    NOT NULL,
    statece   text    NOT NULL,
    state     text    NOT NULL,
    county    text    NOT NULL,
    cousub    text    NOT NULL,  -- county subdivision
    place     text    NOT NULL,
    tract     text    NOT NULL,
    blkgrp    text    NOT NULL,
    block     text    NOT NULL,
    arealand  bigint  NOT NULL,  -- square metres
    areawatr  bigint  NOT NULL,  -- square metres
    name      text    NOT NULL,
    pop100    bigint  NOT NULL,  -- people
    hu100     bigint  NOT NULL,  -- housing units
    intptlat  text    NOT NULL,  -- internal point, degrees with six implied decimals
    intptlon  text    NOT NULL
);
CREATE UNIQUE INDEX geo_record_key ON geo_record (fileid, stusab, chariter, cifsn, logrecno);
CREATE INDEX geo_record_lookup ON geo_record (fileid, logrecno);

-- A table of the summary file, for instance P3 RACE.
CREATE TABLE matrix (
    id       integer  PRIMARY KEY,   -- order in the file, from 1
    segment  smallint NOT NULL,      -- which of the 39 segment files holds it
    code     text     NOT NULL UNIQUE,
    title    text     NOT NULL,
    universe text     NOT NULL
);
CREATE INDEX matrix_segment ON matrix (segment);

-- One count of a matrix, by its official field number, for instance P003001.
CREATE TABLE dictionary_item (
    id     integer  PRIMARY KEY,     -- order in the file, from 1
    parent integer  REFERENCES dictionary_item (id),  -- the item it is a part of, where that is known
    matrix integer  NOT NULL REFERENCES matrix (id),
    index  smallint NOT NULL,        -- position in the matrix, from 1
    name   text     NOT NULL
);
CREATE UNIQUE INDEX dictionary_item_key ON dictionary_item (matrix, index);

-- The counts: one row an item of a line.
CREATE TABLE data_element (
    geo_record      integer       NOT NULL REFERENCES geo_record (id),
    dictionary_item integer       NOT NULL REFERENCES dictionary_item (id),
    value           numeric(10,2) NOT NULL
);

-- Which records are there: written in the transaction of their rows (--commit record, chunk), so that an ingest that
-- broke off can be resumed. A range that is there twice would fail its transaction.
CREATE TABLE progress (
    source text   NOT NULL,  -- the archive's file name
    first  bigint NOT NULL,  -- of a range of lines, from 1
    last   bigint NOT NULL CHECK (last >= first),
    PRIMARY KEY (source, first)
);

-- What lookups read: wide rows of the shape of a database node's own, as in the post of 2015 on multiprocessing. That
-- post read one row over and over; 256 of the same shape let the order of deliveries be verified.
-- A row, about 6 KB, stays in its page, uncompressed: what is measured is the client, not TOAST.
CREATE TABLE node (
    key               text             PRIMARY KEY,  -- node-000 to node-255
    bootstrapped      text             NOT NULL,
    broadcast_address inet             NOT NULL,
    cluster_name      text             NOT NULL,
    protocol_version  text             NOT NULL,
    data_center       text             NOT NULL,
    rack              text             NOT NULL,
    gossip_generation integer          NOT NULL,
    host_id           uuid             NOT NULL,
    listen_address    inet             NOT NULL,
    native_version    smallint         NOT NULL,
    partitioner       text             NOT NULL,
    release_version   text             NOT NULL,
    rpc_port          integer          NOT NULL,
    started_at        timestamptz      NOT NULL,
    load              double precision NOT NULL,  -- a multiple of 0.25
    is_seed           boolean          NOT NULL,
    schema_version    uuid             NOT NULL,
    tokens            text[]           NOT NULL,  -- 256 signed numbers of 64 bits
    truncated_at      jsonb            NOT NULL,
    disk_bytes        bigint           NOT NULL,
    checksum          bytea            NOT NULL   -- 32 bytes
) WITH (toast_tuple_target = 8160);
ALTER TABLE node ALTER COLUMN tokens SET STORAGE PLAIN;
