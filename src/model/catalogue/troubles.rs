//! The 16 documented abnormal types of a push error, in two languages.

use super::{Entry, Text, Unit, Words};
use crate::model::{AbnormalType, Language, Severity};

/// The entry of a documented type.
pub(super) fn entry(kind: AbnormalType) -> Option<&'static Entry> {
    TROUBLES.get((kind.0 as usize).wrapping_sub(1))
}

/// What can be said of a type that is not documented: little, but where to look.
pub(super) fn unknown(kind: AbnormalType, language: Language) -> Text {
    let (name, viewers, cause, fix) = match language {
        Language::En => (
            format!("type {}", kind.0),
            "not known: the cloud does not document this type",
            "not known",
            "look the stream up in the CSS console: Monitoring → Errors",
        ),
        Language::Zh => (
            format!("类型 {}", kind.0),
            "未知：云直播文档没有说明该类型",
            "未知",
            "到云直播控制台的监控页面查看该流的异常记录",
        ),
    };
    Text { name, viewers: viewers.to_owned(), cause: cause.to_owned(), fix: fix.to_owned() }
}

// The severity is the one that holds without knowing more; what makes it worse (a gap of 3 s and more, repetition)
// is for rules to say.
static TROUBLES: [Entry; 16] = [
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "video timestamps go back",
            viewers: "freezes, stutter, garbled picture",
            cause: "the encoder restarted or looped without a new timeline, or two encoders push one key",
            fix: "restart the output and see that one encoder alone pushes this key; ffmpeg: re-encode instead of -c copy, add -fflags +genpts",
            measure: "worst step back",
        },
        zh: Words {
            name: "视频时间戳回退",
            viewers: "画面卡住、卡顿或花屏",
            cause: "编码器重启或循环播放时没有重置时间轴，或同一流名有两路推流",
            fix: "重启推流，并确认该流名只有一路推流；FFmpeg 不要用 -c copy，改为重新编码并加 -fflags +genpts",
            measure: "最大回退",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "audio timestamps go back",
            viewers: "clicks in the sound, lips out of sync",
            cause: "the audio device was reset, its sample rate changed, or the mixer restarted",
            fix: "fix the sample rate at 48 kHz and restart the audio source; ffmpeg: -af aresample=async=1:first_pts=0",
            measure: "worst step back",
        },
        zh: Words {
            name: "音频时间戳回退",
            viewers: "声音有爆音，音画不同步",
            cause: "音频设备重置、采样率变化，或调音台重启",
            fix: "固定采样率为 48 kHz 并重启音频源；FFmpeg 加 -af aresample=async=1:first_pts=0",
            measure: "最大回退",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "video timestamps jump",
            viewers: "the picture freezes, then jumps",
            cause: "capture stalled, the encoder is overloaded, or the camera link reconnected",
            fix: "set a constant frame rate (ffmpeg: -r 30 -fps_mode cfr) and check CPU and GPU load and the camera link",
            measure: "worst jump",
        },
        zh: Words {
            name: "视频时间戳跳变",
            viewers: "画面先卡住，再突然跳到后面",
            cause: "采集停顿、编码器过载，或摄像机链路重连",
            fix: "固定帧率（FFmpeg：-r 30 -fps_mode cfr），检查 CPU、GPU 占用和摄像机链路",
            measure: "最大跳变",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "audio timestamps jump",
            viewers: "gaps in the sound, lips out of sync",
            cause: "a muted or unplugged microphone sends nothing, or the audio thread stalled",
            fix: "keep sending silence: leave an audio track on in OBS; ffmpeg: -af aresample=async=1",
            measure: "worst jump",
        },
        zh: Words {
            name: "音频时间戳跳变",
            viewers: "声音断续，音画不同步",
            cause: "麦克风静音或被拔掉后不再送数据，或音频线程卡住",
            fix: "没有声音时也要持续推静音：OBS 保留一路音轨；FFmpeg 加 -af aresample=async=1",
            measure: "最大跳变",
        },
    },
    Entry {
        severity: Severity::Info,
        unit: Some(Unit::Bytes),
        en: Words {
            name: "RTMP chunks too big",
            viewers: "usually nothing; sometimes more delay and uneven sound",
            cause: "a relay or hardware encoder announces a chunk size above 8,192 bytes; SRS ships with 60,000",
            fix: "set the RTMP chunk size to 4096 (SRS: chunk_size 4096; or the encoder's RTMP menu)",
            measure: "largest chunk",
        },
        zh: Words {
            name: "RTMP chunk 过大",
            viewers: "一般无感，有时延迟变大、声音不稳",
            cause: "转推服务或硬件编码器把 chunk size 设到 8192 字节以上；SRS 默认为 60000",
            fix: "把 RTMP chunk size 设为 4096（SRS：chunk_size 4096; 硬件编码器见 RTMP 设置）",
            measure: "最大 chunk",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "video late",
            viewers: "the picture freezes or stutters for everyone",
            cause: "the uplink is congested or loses packets, or the encoder stalls",
            fix: "lower the bitrate to at most 70 % of the measured upload and use a cable instead of Wi-Fi; OBS: Advanced → Dynamically change bitrate",
            measure: "worst gap",
        },
        zh: Words {
            name: "视频帧到达间隔过大",
            viewers: "所有观众画面卡住或卡顿",
            cause: "上行网络拥塞或丢包，或编码器停顿",
            fix: "码率降到实测上行带宽的 70% 以内，用有线网络代替 Wi-Fi；OBS：高级 → 动态改变码率",
            measure: "最大间隔",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "audio late",
            viewers: "the sound drops out",
            cause: "the uplink is congested or loses packets, or an audio device stalls",
            fix: "check the microphone and mixer, then lower the bitrate to at most 70 % of the measured upload",
            measure: "worst gap",
        },
        zh: Words {
            name: "音频帧到达间隔过大",
            viewers: "声音断续",
            cause: "上行网络拥塞或丢包，或音频设备停顿",
            fix: "先检查麦克风和调音台，再把码率降到实测上行带宽的 70% 以内",
            measure: "最大间隔",
        },
    },
    Entry {
        severity: Severity::Critical,
        unit: None,
        en: Words {
            name: "video codec changed",
            viewers: "players fail or stay black until restarted; the recording is cut",
            cause: "the encoder switched between H.264 and HEVC in mid-stream, or a backup with other settings took over",
            fix: "use the same codec on main and backup; stop and restart the push after changing it",
            measure: "",
        },
        zh: Words {
            name: "视频编码中途变更",
            viewers: "播放器报错或黑屏，重新打开才能恢复；录制文件被切断",
            cause: "推流中途在 H.264 与 HEVC 之间切换，或参数不同的备路接管",
            fix: "主备两路使用相同的编码格式；修改后先断流再重新推流",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: None,
        en: Words {
            name: "audio codec changed",
            viewers: "silence, or players fail until restarted",
            cause: "the encoder switched the audio codec in mid-stream, or a backup with other settings took over",
            fix: "use AAC-LC on main and backup; stop and restart the push after changing it",
            measure: "",
        },
        zh: Words {
            name: "音频编码中途变更",
            viewers: "没有声音，或播放器报错，重新打开才能恢复",
            cause: "推流中途切换了音频编码，或参数不同的备路接管",
            fix: "主备两路都用 AAC-LC；修改后先断流再重新推流",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Critical,
        unit: None,
        en: Words {
            name: "video header missing",
            viewers: "black screen until a header comes",
            cause: "the sequence header (SPS/PPS) was not sent first, or a relay dropped it",
            fix: "restart the push; ffmpeg remux: add -flags +global_header or re-encode",
            measure: "",
        },
        zh: Words {
            name: "缺少视频头",
            viewers: "黑屏，直到收到视频头",
            cause: "推流没有先发 sequence header（SPS/PPS），或被转推服务丢掉",
            fix: "重新推流；FFmpeg 转封装时加 -flags +global_header，或改为重新编码",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: None,
        en: Words {
            name: "audio header missing",
            viewers: "no sound",
            cause: "the AAC header (AudioSpecificConfig) was not sent, or ADTS is passed through",
            fix: "ffmpeg: -bsf:a aac_adtstoasc, or re-encode to AAC; then restart the push",
            measure: "",
        },
        zh: Words {
            name: "缺少音频头",
            viewers: "没有声音",
            cause: "没有发送 AAC 头（AudioSpecificConfig），或直接透传了 ADTS",
            fix: "FFmpeg 加 -bsf:a aac_adtstoasc，或重新编码为 AAC，然后重新推流",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Milliseconds),
        en: Words {
            name: "audio timestamp gaps",
            viewers: "choppy sound",
            cause: "audio frames are lost, or their timestamps are wrong (AAC steps 21.3 ms at 48 kHz)",
            fix: "resample to one clock (ffmpeg: -af aresample=async=1) and check the uplink for loss",
            measure: "worst gap",
        },
        zh: Words {
            name: "音频时间戳间隔异常",
            viewers: "声音断断续续",
            cause: "音频丢帧，或时间戳有误（48 kHz 的 AAC 每帧应为 21.3 毫秒）",
            fix: "统一时钟重采样（FFmpeg：-af aresample=async=1），并检查上行丢包",
            measure: "最大间隔",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: None,
        en: Words {
            name: "uncommon codec",
            viewers: "some players show nothing",
            cause: "the stream is not H.264 or H.265 with AAC",
            fix: "encode to H.264 with AAC-LC, or let CSS transcode",
            measure: "",
        },
        zh: Words {
            name: "编码格式不常见",
            viewers: "部分播放器无法播放",
            cause: "推流不是 H.264/H.265 + AAC",
            fix: "改用 H.264 + AAC-LC，或使用云直播转码",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Critical,
        unit: None,
        en: Words {
            name: "video header unreadable",
            viewers: "black screen",
            cause: "SPS/PPS are damaged, or the profile is unusual (10 bit, 4:2:2, HEVC over an old FLV id)",
            fix: "encode H.264 High, 8 bit 4:2:0 (ffmpeg: -pix_fmt yuv420p), update the encoder, push again",
            measure: "",
        },
        zh: Words {
            name: "视频头无法解析",
            viewers: "黑屏",
            cause: "SPS/PPS 损坏，或编码规格特殊（10 bit、4:2:2、旧 FLV 标识的 HEVC）",
            fix: "改用 H.264 High 8 bit 4:2:0（FFmpeg：-pix_fmt yuv420p），升级编码器后重新推流",
            measure: "",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Fps),
        en: Words {
            name: "low frame rate",
            viewers: "a slide show",
            cause: "the encoder is overloaded, the camera lacks light, or the network holds it back",
            fix: "choose a faster preset or a hardware encoder, or a lower resolution, at a fixed 25-30 fps",
            measure: "lowest",
        },
        zh: Words {
            name: "视频帧率过低",
            viewers: "画面像放幻灯片",
            cause: "编码器过载、摄像机光线不足，或网络拖慢了编码",
            fix: "换更快的 preset 或硬件编码，或降低分辨率，帧率固定在 25-30 fps",
            measure: "最低",
        },
    },
    Entry {
        severity: Severity::Warning,
        unit: Some(Unit::Seconds),
        en: Words {
            name: "keyframes too far apart",
            viewers: "slow start, high delay, poor seeking",
            cause: "the keyframe interval is left on auto: x264 then waits up to 250 frames",
            fix: "OBS: Output → Keyframe Interval 2 s; ffmpeg at 30 fps: -g 60 -keyint_min 60 -sc_threshold 0",
            measure: "longest interval",
        },
        zh: Words {
            name: "关键帧间隔（GOP）过大",
            viewers: "首屏慢、延迟高、拖动定位不准",
            cause: "关键帧间隔为「自动」：x264 默认最长 250 帧才有一个关键帧",
            fix: "OBS：输出 → 关键帧间隔 2 秒；FFmpeg（30 fps）：-g 60 -keyint_min 60 -sc_threshold 0",
            measure: "最长间隔",
        },
    },
];
