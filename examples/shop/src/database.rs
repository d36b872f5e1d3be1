//! `SQLite`. What was written stays written, also when the process is killed in the next moment, or the
//! power fails.

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

#[service]
impl Database {
    fn new(settings: Config<Settings>) -> anyhow::Result<Self> {
        let path = &settings.path;
        let connection = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), written: watch::Sender::new(()) })
    }

    /// There is nothing to do but to be there.
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    /// Whoever takes an `Arc<Database>` has stopped by now.
    async fn stop(&self) -> anyhow::Result<()> {
        self.call(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")).await
    }
}

impl Database {
    /// Asks it.
    pub(crate) async fn read<T, F>(&self, ask: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.call(|connection| ask(connection)).await
    }

    /// Changes it: all of it, or nothing.
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

    /// Tells of each write.
    pub(crate) fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    /// `SQLite` blocks, so it gets a thread that may be blocked.
    async fn call<T, F>(&self, call: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        // After a panic it is as good as before: what was not committed is rolled back.
        let call = move || call(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(spawn_blocking(call).await??)
    }
}
