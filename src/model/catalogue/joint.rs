//! What several troubles seen together say about the cause: more than each alone.

use crate::model::{AbnormalType, Language};

/// A cause that follows from troubles seen together, and the step that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The likely cause.
    pub cause: &'static str,
    /// One concrete step.
    pub fix: &'static str,
    /// Rests on a type that was *not* seen, so it may be said only where all types are watched.
    pub by_absence: bool,
}

/// What the sick streams of a digest have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One pusher address: a site.
    Address,
    /// One push domain.
    Domain,
    /// Many domains and many addresses.
    Everywhere,
    /// Nothing that is known of.
    Many,
}

/// The cause that these abnormal types, seen together on one stream, point to. `None` where their own catalogue
/// entries say all there is.
///
/// Late frames whose timestamps jump as well were never produced; late frames with steady timestamps were
/// produced in time and held up on the way.
#[must_use]
pub fn joint_cause(kinds: &[AbnormalType], language: Language) -> Option<Joint> {
    let has = |kind: u32| kinds.contains(&AbnormalType(kind));
    let headers = (8..=11).filter(|kind| has(*kind)).count();
    let found = if (has(3) && has(6)) || (has(4) && has(7)) {
        &NOT_PRODUCED
    } else if has(6) && has(7) {
        &UPLINK
    } else if has(6) {
        &VIDEO_ALONE
    } else if has(7) {
        &AUDIO_ALONE
    } else if (has(1) && has(2)) || headers >= 2 {
        &RESTART
    } else {
        return None;
    };
    Some(match language {
        Language::En => found.0,
        Language::Zh => found.1,
    })
}

/// The cause that many sick streams with this in common point to.
#[must_use]
pub fn spread_cause(spread: Spread, language: Language) -> &'static str {
    match (spread, language) {
        (Spread::Address, Language::En) => "the site behind this address: its uplink, router or provider",
        (Spread::Address, Language::Zh) => "该地址所在现场的问题：上行网络、路由器或运营商",
        (Spread::Domain, Language::En) => {
            "something this domain's streams share: site, provider, or the cloud's ingest"
        }
        (Spread::Domain, Language::Zh) => "该域名下各路推流的共同环节：现场、运营商或云直播接入点",
        (Spread::Many, Language::En) => "something these streams share: a site, a provider, or the cloud's ingest",
        (Spread::Many, Language::Zh) => "这些推流的共同环节：现场、运营商或云直播接入点",
        (Spread::Everywhere, Language::En) => "many domains at once: more likely the cloud than your encoders",
        (Spread::Everywhere, Language::Zh) => "多个域名同时异常：更可能是云直播侧的问题，而不是推流端",
    }
}

/// The first step with many sick streams that have this in common.
#[must_use]
pub fn spread_fix(spread: Spread, language: Language) -> &'static str {
    match (spread, language) {
        (Spread::Address, Language::En) => {
            "measure that site's upload and restart its router; let half of its streams push over another line"
        }
        (Spread::Address, Language::Zh) => "测该现场的上行带宽并重启路由器；先把一半推流换到另一条线路",
        (Spread::Domain | Spread::Many, Language::En) => {
            "push one of the streams from another network: if it is well there, it is the site"
        }
        (Spread::Domain | Spread::Many, Language::Zh) => "换一个网络推其中一路：如果正常，就是现场或运营商的问题",
        (Spread::Everywhere, Language::En) => {
            "look at the cloud's status page and ask its support before anybody touches an encoder"
        }
        (Spread::Everywhere, Language::Zh) => "先看云直播状态页并联系云厂商支持，不要急着动推流端",
    }
}

static UPLINK: (Joint, Joint) = (
    Joint {
        cause: "picture and sound come late together: the uplink is congested or loses packets, or the whole encoder stalls",
        fix: "lower the bitrate to at most 70 % of the measured upload and use a cable instead of Wi-Fi; then check the encoder's CPU",
        by_absence: false,
    },
    Joint {
        cause: "音视频一起迟到：上行网络拥塞或丢包，或整台编码器停顿",
        fix: "码率降到实测上行带宽的 70% 以内，用有线网络代替 Wi-Fi；再检查编码器 CPU",
        by_absence: false,
    },
);

static VIDEO_ALONE: (Joint, Joint) = (
    Joint {
        cause: "only the picture is late: the video encoder or its capture stalls, or a still screen is sent at a very low frame rate",
        fix: "check the encoder's CPU and GPU load and choose a faster preset; for screen sharing set a constant frame rate",
        by_absence: true,
    },
    Joint {
        cause: "只有视频迟到：视频编码或采集停顿，或静止画面的屏幕共享帧率极低",
        fix: "检查编码器 CPU、GPU 占用，换更快的 preset；屏幕共享请固定帧率",
        by_absence: true,
    },
);

static AUDIO_ALONE: (Joint, Joint) = (
    Joint {
        cause: "only the sound is late: the audio device stalls or sends nothing while muted",
        fix: "check the microphone and mixer, and keep an audio track sending silence",
        by_absence: true,
    },
    Joint {
        cause: "只有音频迟到：音频设备停顿，或静音时不送数据",
        fix: "检查麦克风和调音台，静音时也要持续推静音数据",
        by_absence: true,
    },
);

static NOT_PRODUCED: (Joint, Joint) = (
    Joint {
        cause: "frames come late and their timestamps jump too: they were never produced, so capture or encoder stalls, not the network",
        fix: "check CPU and GPU load and the camera link; lower resolution or choose a faster preset",
        by_absence: false,
    },
    Joint {
        cause: "帧迟到且时间戳同时跳变：这些帧根本没有产生，是采集或编码器停顿，不是网络问题",
        fix: "检查 CPU、GPU 占用和摄像机链路；降低分辨率或换更快的 preset",
        by_absence: false,
    },
);

static RESTART: (Joint, Joint) = (
    Joint {
        cause: "picture and sound changed at once: the encoder restarted or another one took over in mid-stream",
        fix: "see that one encoder alone pushes this key with the same settings on main and backup, then restart the push",
        by_absence: false,
    },
    Joint {
        cause: "音视频同时变化：编码器中途重启，或另一个编码器接管",
        fix: "确认该流名只有一个编码器在推流、主备参数一致，然后重新推流",
        by_absence: false,
    },
);

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(kinds: &[u32]) -> Option<Joint> {
        let kinds: Vec<AbnormalType> = kinds.iter().map(|kind| AbnormalType(*kind)).collect();
        let found = joint_cause(&kinds, Language::En);
        assert_eq!(found.is_some(), joint_cause(&kinds, Language::Zh).is_some());
        found
    }

    #[test]
    fn only_what_says_alone_rests_on_absence() {
        for kinds in [&[6][..], &[7], &[6, 7], &[3, 6], &[1, 2]] {
            assert_eq!(cause(kinds).unwrap().by_absence, kinds.len() == 1, "{kinds:?}");
        }
    }

    #[test]
    fn troubles_together_point_to_another_cause_than_alone() {
        assert_eq!(cause(&[6, 7]), Some(UPLINK.0));
        assert_eq!(cause(&[6]), Some(VIDEO_ALONE.0));
        assert_eq!(cause(&[6, 16]), Some(VIDEO_ALONE.0));
        assert_eq!(cause(&[7]), Some(AUDIO_ALONE.0));
        for stalled in [&[3, 6][..], &[4, 7], &[3, 6, 7], &[3, 4, 6, 7]] {
            assert_eq!(cause(stalled), Some(NOT_PRODUCED.0), "{stalled:?}");
        }
        for restarted in [&[1, 2][..], &[8, 9], &[10, 11], &[1, 2, 8]] {
            assert_eq!(cause(restarted), Some(RESTART.0), "{restarted:?}");
        }
        for plain in [&[][..], &[1], &[2], &[3], &[8], &[16], &[99]] {
            assert_eq!(cause(plain), None, "{plain:?}");
        }
    }
}
