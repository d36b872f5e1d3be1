//! Reload: each service applies new settings while it runs.

#[cfg(feature = "config")]
use std::collections::BTreeMap;
use std::pin::pin;

use tokio::time::timeout;

use crate::base::error::{BoxError, Failure};
use crate::base::lock;
#[cfg(feature = "config")]
use crate::base::panic::caught_now;
use crate::base::text::{Took, signal_name};
#[cfg(feature = "config")]
use crate::config::wrong::SettingsError;
use crate::lifecycle::interface::Stage;
use crate::record::state::State;
use crate::running::handle::Handle;
use crate::running::journal::{Journal, PATIENCE};
use crate::running::log;
use crate::running::new_settings::NewSettings;
use crate::running::one_life::OneLife;
use crate::running::reloads::{ReloadError, Reloaded};

impl Handle {
    /// Reloads every ready service that has a `reload`, in start order, one at a time. If the group is
    /// still starting, waits until it is ready. Reloads do not overlap: a second one waits for the first, and all
    /// that wait at the same time are one reload.
    ///
    /// A service that fails to reload keeps its old state, and stays ready; the others are reloaded
    /// all the same. Each may take as long as its `start_timeout`. To drop the future cuts the reload off, and so does the
    /// stop: a service is gone, and what it needs is stopped, only when its `reload` is over.
    ///
    /// If a `reload` takes its new settings, as `Config<T>`, the file and the environment are read again before.
    ///
    /// # Errors
    ///
    /// If the group stops, if no service has a `reload`, if there are mistakes in the new settings, in which case no
    /// service is reloaded, or if the reload of any service failed.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        tokio::select! {
            biased;
            () = self.stopping() => Err(ReloadError::Stopping),
            result = self.reload_each() => result,
        }
    }

    /// Reloads each service, or waits for the reload of another caller that begins after this call.
    async fn reload_each(&self) -> Result<(), ReloadError> {
        let before = self.shared.reloads.begun();
        self.shared.ready.wait().await;
        let mut last = self.shared.reloads.turn.lock().await;
        if let Some(reloaded) = last.as_ref().filter(|reloaded| reloaded.number > before) {
            return reloaded.result.clone();
        }
        let number = self.shared.reloads.begin();
        let result = self.reload_each_now().await;
        *last = Some(Reloaded { number, result: result.clone() });
        result
    }

    async fn reload_each_now(&self) -> Result<(), ReloadError> {
        let mut reloading = Reloading::begin(self);
        #[cfg(feature = "config")]
        let mut new_settings = self.reread()?;
        let (mut reloaded, mut failed) = (0, Vec::new());
        for life in OneLife::all(&self.shared) {
            let member = life.member();
            let name = member.spec.get_name();
            #[cfg(feature = "config")]
            let settings = new_settings.remove(name).unwrap_or_else(|| NewSettings { settings: member.settings() });
            #[cfg(not(feature = "config"))]
            let settings = NewSettings::default();
            reloading.service = Some(name.to_owned());
            let reloads = reload_one(&life, settings.clone()).await;
            reloading.service = None;
            match reloads {
                None => continue,
                Some(Ok(())) => {
                    #[cfg(feature = "config")]
                    member.set_settings(settings);
                    log::reloaded(name);
                }
                Some(Err(error)) => {
                    let failure = Failure::new(Some(name), Stage::Reload, false, error);
                    life.shared().write(|journal| journal.reload_failed(failure.clone()));
                    failed.push(failure);
                }
            }
            reloaded += 1;
        }
        match (reloaded, failed.is_empty()) {
            (0, _) => Err(ReloadError::Nothing),
            (_, true) => {
                log::all_reloaded(reloaded);
                Ok(())
            }
            (_, false) => Err(ReloadError::Failed(failed)),
        }
    }

    /// Reads the settings of all services again, if a service takes them.
    #[cfg(feature = "config")]
    fn reread(&self) -> Result<BTreeMap<String, NewSettings>, ReloadError> {
        let Some(reread) = &self.shared.reloads.reread else { return Ok(BTreeMap::new()) };
        let reread = caught_now(reread).unwrap_or_else(|panicked| Err(SettingsError(vec![panicked.to_string()])));
        reread.map_err(|error| {
            let error = ReloadError::Settings(error);
            let failure = Failure::new(None, Stage::Reload, false, error.clone().into());
            self.shared.write(|journal| journal.reload_failed(failure));
            error
        })
    }
}

/// Returns `None` if the service is not ready, or has no `reload`.
async fn reload_one(life: &OneLife, settings: NewSettings) -> Option<Result<(), BoxError>> {
    let member = life.member();
    let state = lock(&life.shared().journal).state(life.id());
    let service = member.instance().filter(|_| state == State::Ready)?;
    let limit = member.spec.start_limit();
    let mut reloads = pin!(life.run(limit, service.reload(settings)));
    let reloaded = if let Ok(reloaded) = timeout(PATIENCE, &mut reloads).await {
        reloaded
    } else {
        log::still_reloading(member.spec.get_name(), PATIENCE, limit);
        reloads.await
    };
    match reloaded {
        Ok(Some(result)) => result,
        Ok(None) => Some(Err(format!("it has not reloaded after {} (start_timeout)", Took(limit)).into())),
        Err(panicked) => Some(Err(panicked)),
    }
}

/// The group's phase is `Reloading` until this is dropped.
struct Reloading<'a> {
    handle: &'a Handle,
    /// The service that is reloading now.
    service: Option<String>,
}

impl<'a> Reloading<'a> {
    fn begin(handle: &'a Handle) -> Self {
        handle.shared.write(Journal::reloading);
        Self { handle, service: None }
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        self.handle.shared.write(Journal::reloaded);
        if let Some(service) = &self.service {
            let why = if self.handle.is_stopping() { "the group is stopping" } else { "its caller stopped waiting" };
            log::reload_cut_off(service, why);
        }
    }
}

/// Reloads in the background, because of a signal. Signals that come while one of these reloads waits ask for no other.
pub(crate) fn spawn(handle: Handle, signal: i32) {
    let is_new = handle.shared.reloads.note_signal();
    let line = if is_new { log::will_reload } else { log::reload_waits };
    handle.shared.write(|journal| journal.mention(move || line(&signal_name(signal))));
    if !is_new {
        return;
    }
    tokio::spawn(async move {
        if let Err(ReloadError::Nothing) = handle.reload().await {
            log::nothing_reloaded(&signal_name(signal));
        }
    });
}
