//! Reports the state of the shop at a fixed interval.

use std::sync::Arc;

use group::service;

use crate::database::Database;

pub(crate) struct Report {
    database: Arc<Database>,
}

/// Says at a fixed interval how the shop is doing.
#[service]
impl Report {
    fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// It never overlaps itself, and the stop waits for the run in flight.
    #[every("10s")]
    async fn report(&self) -> anyhow::Result<()> {
        let report = self.database.read(|database| {
            let ask = "SELECT format('%d orders packed for %.2f, %d on their way',
                count(*), coalesce(sum(price), 0) / 100.0, (SELECT count(*) FROM outbox)) FROM orders";
            database.query_row(ask, [], |row| row.get::<_, String>(0))
        });
        println!("{}", report.await?);
        Ok(())
    }
}
