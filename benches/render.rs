//! What a message costs: a story, a template and the platform's check; and what a digest of a storm costs.

use divan::{Bencher, black_box};
use pushwatch::model::{Catalogue, ChannelKind, Language};
use pushwatch::render::{DigestView, Renderer, View, sample};

fn main() {
    divan::main();
}

#[divan::bench(args = ["slack", "wecom", "telegram", "webhook", "console"])]
fn incident(bencher: Bencher<'_, '_>, kind: &str) {
    let kind = ChannelKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap_or(ChannelKind::Console);
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    let channel = sample::channel(kind, Language::En);
    let samples = sample::ordinary();
    let first = &samples[0];
    let view = View {
        group: &first.group,
        incidents: &first.incidents,
        channel: &channel,
        catalogue: &catalogue,
        now: sample::NOW,
    };
    bencher.bench_local(|| renderer.incident(black_box(&view)));
}

#[divan::bench(args = [4, 312, 10_000])]
fn gather(bencher: Bencher<'_, '_>, streams: u64) {
    let incidents = sample::storm(streams);
    bencher.counter(divan::counter::ItemsCount::new(streams)).bench_local(|| sample::gathered(black_box(&incidents)));
}

#[divan::bench]
fn digest(bencher: Bencher<'_, '_>) {
    let (renderer, catalogue) = (Renderer::embedded(), Catalogue::default());
    let channel = sample::channel(ChannelKind::Telegram, Language::En);
    let gathered = sample::gathered(&sample::storm(10_000));
    let view = DigestView { gathered: &gathered, channel: &channel, catalogue: &catalogue, now: sample::NOW };
    bencher.bench_local(|| renderer.digest(black_box(&view)));
}

#[divan::bench]
fn parse_embedded_templates() -> Renderer {
    Renderer::embedded()
}
