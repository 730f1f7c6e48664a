/**
 * Schema steps of the appliance's store, oldest first. Never edit one that was released: append. Times are epoch milliseconds.
 *
 * A box may fall back to the version before this one, and that one must read and write what this one left behind. So a step only adds:
 * tables, indices, columns that may be missing (NULL, or a DEFAULT). It neither drops nor renames, and adds no constraint that older
 * writes would break. Writes name their columns (kv alone never gets another one). What must go is first left unused for one released version, then dropped with OLDEST_READER raised.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  -- facts on their way up; a row leaves once Redis took it
  CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL);

  -- orders that were carried out or refused
  CREATE TABLE commands (id TEXT PRIMARY KEY, at INTEGER NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID;

  -- DHCP: one row per address that was promised to anyone. The daemon reads it whole at its start; a machine is its MAC (client ids change
  -- between firmware, loader and system), and no index is kept up at every ACK for queries that nobody makes
  CREATE TABLE leases (
    lan TEXT NOT NULL, ip TEXT NOT NULL, client TEXT NOT NULL, mac TEXT NOT NULL, hostname TEXT,
    state TEXT NOT NULL CHECK (state IN ('offered', 'bound', 'declined')), until INTEGER NOT NULL,
    PRIMARY KEY (lan, ip)
  ) WITHOUT ROWID;

  -- machines as this site knows them; the manager's wishes lie in the state document
  CREATE TABLE hosts (
    id TEXT PRIMARY KEY, name TEXT, status TEXT NOT NULL, approved INTEGER NOT NULL DEFAULT 0,
    facts TEXT NOT NULL DEFAULT '{}', tags TEXT NOT NULL DEFAULT '{}', profile TEXT,
    retired INTEGER NOT NULL DEFAULT 0, reserved TEXT, lan TEXT,
    managed INTEGER NOT NULL DEFAULT 0, -- a state document named it once; gone from the state then means deleted
    ip TEXT, host_keys TEXT NOT NULL DEFAULT '[]', first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE host_macs (mac TEXT PRIMARY KEY, host TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE) WITHOUT ROWID;

  -- one-shot wishes and how far they are
  CREATE TABLE intents (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, kind TEXT NOT NULL, profile TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'started', 'done', 'failed')), attempts INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('manager', 'rule'))
  ) WITHOUT ROWID;
  CREATE INDEX intents_host ON intents (host, at);

  -- one boot of one machine, and the secret its installer reports with
  CREATE TABLE boots (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, started INTEGER NOT NULL, last INTEGER NOT NULL, stage TEXT NOT NULL,
    ip TEXT, intent TEXT, token TEXT, phone_token TEXT, platform TEXT NOT NULL DEFAULT 'unknown', profile TEXT, arch TEXT,
    answers_served INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX boots_host ON boots (host, started);

  -- script runs ordered by the manager
  CREATE TABLE runs (id TEXT PRIMARY KEY, command TEXT NOT NULL, host TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;

  -- artifacts that lie whole and checked in the cache
  CREATE TABLE artifacts (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL, at INTEGER NOT NULL, last_used INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- what runs of one command share; leaves once the last of them is finished
  CREATE TABLE run_orders (command TEXT PRIMARY KEY, user TEXT NOT NULL, text TEXT NOT NULL, timeout_ms INTEGER NOT NULL);
  CREATE INDEX runs_state ON runs (state, at);
  CREATE INDEX runs_command ON runs (command);
  `,
  `
  -- how many of these steps a version must know to work with this store; older versions read it after a fall back
  CREATE TABLE oldest_reader (steps INTEGER NOT NULL);
  INSERT INTO oldest_reader VALUES (2);

  -- releases that this box was told to run, and how far each came; at most one is open
  CREATE TABLE releases (
    id TEXT PRIMARY KEY, version TEXT NOT NULL, floor TEXT NOT NULL, sha256 TEXT NOT NULL, slot TEXT NOT NULL, phase TEXT NOT NULL,
    why TEXT, uplink INTEGER NOT NULL DEFAULT 0, boot TEXT, at INTEGER NOT NULL
  ) WITHOUT ROWID;
  -- what was last put or found in each slot; 'head' is a digest of the file system's first bytes, by which a card that was flashed anew is
  -- known; 'bad' says why it is not to be started
  CREATE TABLE slots (
    slot TEXT PRIMARY KEY, version TEXT, sha256 TEXT, bytes INTEGER, head TEXT, verified INTEGER NOT NULL DEFAULT 0, bad TEXT
  ) WITHOUT ROWID;
  `,
]

/** The smallest number of steps that a version must know to work with this schema. It is written into `oldest_reader`. */
export const OLDEST_READER = 2
