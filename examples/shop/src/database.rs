//! `SQLite`. A write is durable: it survives a kill of the process and a power failure.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use group::{Config, Shutdown, service};
use rusqlite::{Connection, Transaction};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// `GROUP_DATABASE__PATH`, or `path` under `[services.database]` in `group.toml`.
#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    path: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: "shop.db".into() }
    }
}

pub(crate) struct Database {
    connection: Arc<Mutex<Connection>>,
    written: watch::Sender<()>,
}

/// Keeps the orders on the disk.
#[service]
impl Database {
    fn new(settings: Config<Settings>) -> anyhow::Result<Self> {
        let path = &settings.path;
        let connection = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), written: watch::Sender::new(()) })
    }

    /// Has nothing to do: the database is there as long as the service runs.
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    /// Every service that takes an `Arc<Database>` has stopped by now.
    async fn stop(&self) -> anyhow::Result<()> {
        self.call(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")).await
    }
}

impl Database {
    /// Runs a query.
    pub(crate) async fn read<T, F>(&self, ask: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.call(|connection| ask(connection)).await
    }

    /// Runs a change in a transaction: all of it, or nothing.
    pub(crate) async fn write<T, F>(&self, change: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let change = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let changed = change(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        };
        let changed = self.call(change).await?;
        self.written.send_replace(());
        Ok(changed)
    }

    /// Returns a receiver that is notified of each write.
    pub(crate) fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// Runs on a thread that may block, because `SQLite` does.
    async fn call<T, F>(&self, call: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        // A panic leaves the connection usable: the open transaction is rolled back.
        let call = move || call(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(spawn_blocking(call).await??)
    }
}
