CREATE TABLE IF NOT EXISTS stock (
    item TEXT PRIMARY KEY,
    price INTEGER NOT NULL,
    pieces INTEGER NOT NULL
) STRICT;

-- What was ordered, and is not packed yet. A number is never used again.
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL
) STRICT;

-- What is packed.
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    item TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    price INTEGER NOT NULL
) STRICT;

INSERT OR IGNORE INTO stock VALUES ('tea', 350, 100000), ('coffee', 420, 100000);
