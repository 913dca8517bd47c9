//! Shows on `/readyz` what the core learns.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::admin::{Banner, Part, Readiness};
use crate::core::Warning;
use crate::model::ChannelName;

/// Without end.
pub(super) async fn light_up(
    lights: Arc<Readiness>,
    mut caught_up: watch::Receiver<bool>,
    mut warnings: watch::Receiver<Vec<Warning>>,
) {
    if caught_up.wait_for(|yes| *yes).await.is_ok() {
        lights.on(Part::Engine);
    }
    loop {
        let shown = warnings.borrow_and_update().clone();
        let mut banners = [(Banner::OnlyPushErrors, None), (Banner::LateCallbacks, None)];
        for warning in shown {
            match warning {
                Warning::OnlyPushErrors { reports } => {
                    let text =
                        format!("{reports} push errors and no begin or end of any push: are those events subscribed?");
                    banners[0].1 = Some(text);
                }
                Warning::LateCallbacks { median } => {
                    banners[1].1 = Some(format!("half of the callbacks come later than {} s", median / 1000));
                }
            }
        }
        for (banner, text) in banners {
            match text {
                Some(text) => lights.show(banner, text),
                None => lights.take_down(banner),
            }
        }
        if warnings.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Shows which channels refuse every message; without end.
pub(super) async fn show_parked(lights: Arc<Readiness>, mut parked: watch::Receiver<BTreeMap<ChannelName, String>>) {
    loop {
        let shown: Vec<String> =
            parked.borrow_and_update().iter().map(|(channel, why)| format!("{channel} {why}")).collect();
        match shown.is_empty() {
            true => lights.take_down(Banner::Parked),
            false => lights.show(Banner::Parked, shown.join("; ")),
        }
        if parked.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
