//! Warns by one line of what fails again and again.

/// Whether the last step of something that never ends has failed.
#[derive(Debug, Default)]
pub struct WarnOnce {
    failing: bool,
}

impl WarnOnce {
    /// Gives the failure of a step to `warn`, where the step before it did not fail.
    pub fn note<T, E>(&mut self, step: &Result<T, E>, warn: impl FnOnce(&E)) {
        if let Err(error) = step
            && !self.failing
        {
            warn(error);
        }
        self.failing = step.is_err();
    }
}
