//! The tokenizer class of a checkpoint, and what the class determines.
//!
//! Invariant: every difference between families of tokenizers that is not in their files is decided here. Classes have
//! transformers' names, which checkpoints have in `tokenizer_config.json`; if there is no name, config.json's
//! `model_type` decides, as in transformers.

use anyhow::{Result, bail};
use serde_json::Value;

use super::settings::TokenizerSettings;
use crate::error::WithHint;
use crate::files::ModelFiles;

/// Names of classes in transformers that read any tokenizer.json.
const ANY: [&str; 3] = ["PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"];

/// The class of a tokenizer, which selects its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Marian,
    M2m100,
    T5,
    Pegasus,
    MBart,
    MBart50,
    Nllb,
    Bart,
    Bert,
    ProphetNet,
    /// Follows tokenizer.json, and adds the special tokens that it lacks.
    Gemma,
    /// M2M100 with another language scheme.
    Small100,
    PlBart,
    Blenderbot,
    BlenderbotSmall,
    Fsmt,
    Seamless,
    /// Follows tokenizer.json only.
    File,
}

impl Class {
    /// The class of a checkpoint, from its settings and its files.
    pub(super) fn of(files: &ModelFiles, settings: &TokenizerSettings, config: &Value) -> Result<Self> {
        let named = settings.text("tokenizer_class").or_else(|| config.get("tokenizer_class")?.as_str());
        let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let has_languages = ["m2m_100", "mbart", "nllb-moe", "seamless_m4t", "seamless_m4t_v2"].contains(&model_type);
        let file_says_all = files.has("tokenizer.json") && !has_languages;
        let class = match named {
            None if model_type == "encoder-decoder" => {
                let encoder = config.get("encoder").and_then(|encoder| encoder.get("model_type")?.as_str());
                Self::of_model_type(encoder.unwrap_or_default(), files)
            }
            None => Self::of_model_type(model_type, files),
            // Such a name says nothing of the class, and a model with language tokens needs one.
            Some(name) if ANY.contains(&name) && !file_says_all => {
                let class = Self::of_model_type(model_type, files);
                if class.is_some_and(|class| class.is_without_languages(files, settings)) { None } else { class }
            }
            Some(name) => Self::named(name),
        };
        match class {
            // Marian has no class that reads tokenizer.json, but converted checkpoints have only that file.
            Some(Self::M2m100) if is_small100(config) => Ok(Self::Small100),
            Some(Self::Marian) if !files.has("source.spm") && files.has("tokenizer.json") => Ok(Self::File),
            Some(class) => Ok(class),
            None if files.has("tokenizer.json") => Ok(Self::File),
            None => bail!(
                format!(
                    "the model `{}` has a tokenizer of an unknown kind ({})",
                    files.name(),
                    named.map_or_else(
                        || format!("model_type `{model_type}`"),
                        |name| format!("tokenizer_class `{name}`")
                    )
                )
                .with_hint(
                    "these work: tokenizer.json, or the files of Marian, BART, mBART, Pegasus, M2M100, NLLB, T5, PLBart, \
                     Blenderbot, FSMT, SeamlessM4T or ProphetNet"
                )
            ),
        }
    }

    /// Whether tokenizer.json has none of the language tokens that the class defines: then it is of another class.
    fn is_without_languages(self, files: &ModelFiles, settings: &TokenizerSettings) -> bool {
        let codes = self.language_codes(settings);
        if codes.is_empty() || !files.has("tokenizer.json") {
            return false;
        }
        let Ok(file) = files.read("tokenizer.json") else { return false };
        let file = String::from_utf8_lossy(&file);
        let marked = matches!(self, Self::M2m100 | Self::Small100);
        // A token is a string of the file, whether it is of the vocabulary or was added.
        let has = |code: &str| file.contains(&if marked { format!("\"__{code}__\"") } else { format!("\"{code}\"") });
        !codes.into_iter().any(has)
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name.strip_suffix("Fast").unwrap_or(name) {
            "MarianTokenizer" => Self::Marian,
            "M2M100Tokenizer" => Self::M2m100,
            "T5Tokenizer" | "MT5Tokenizer" => Self::T5,
            "PegasusTokenizer" => Self::Pegasus,
            "MBartTokenizer" => Self::MBart,
            "MBart50Tokenizer" => Self::MBart50,
            "NllbTokenizer" => Self::Nllb,
            "BartTokenizer" | "RobertaTokenizer" | "LEDTokenizer" | "MvpTokenizer" => Self::Bart,
            "SMALL100Tokenizer" | "Small100Tokenizer" => Self::Small100,
            "PLBartTokenizer" => Self::PlBart,
            "BlenderbotTokenizer" => Self::Blenderbot,
            "BlenderbotSmallTokenizer" => Self::BlenderbotSmall,
            "FSMTTokenizer" => Self::Fsmt,
            "SeamlessM4TTokenizer" => Self::Seamless,
            "GemmaTokenizer" => Self::Gemma,
            "BertTokenizer" => Self::Bert,
            "ProphetNetTokenizer" => Self::ProphetNet,
            _ => return None,
        })
    }

    fn of_model_type(model_type: &str, files: &ModelFiles) -> Option<Self> {
        Some(match model_type {
            "marian" => Self::Marian,
            // M2M100 has a vocabulary beside its pieces, NLLB has none.
            "m2m_100" if files.has("vocab.json") => Self::M2m100,
            "m2m_100" | "nllb-moe" => Self::Nllb,
            "t5" | "mt5" | "umt5" | "longt5" | "switch_transformers" => Self::T5,
            "pegasus" | "pegasus_x" | "bigbird_pegasus" => Self::Pegasus,
            "mbart" => Self::MBart,
            "bart" | "led" | "mvp" | "roberta" => Self::Bart,
            "t5gemma" | "t5gemma2" => Self::Gemma,
            "bert" => Self::Bert,
            "prophetnet" => Self::ProphetNet,
            "plbart" => Self::PlBart,
            "blenderbot" => Self::Blenderbot,
            "blenderbot-small" => Self::BlenderbotSmall,
            "fsmt" => Self::Fsmt,
            "seamless_m4t" | "seamless_m4t_v2" => Self::Seamless,
            _ => return None,
        })
    }

    /// The file with one piece per line, for classes that segment words into pieces.
    pub(super) fn word_pieces_file(self) -> Option<&'static str> {
        match self {
            Self::Bert => Some("vocab.txt"),
            Self::ProphetNet => Some("prophetnet.tokenizer"),
            _ => None,
        }
    }

    /// The name of the class's SentencePiece model.
    pub(super) fn sentencepiece_file(self) -> &'static str {
        match self {
            Self::T5 | Self::Pegasus => "spiece.model",
            _ => "sentencepiece.bpe.model",
        }
    }

    /// The special tokens with names, each with the class's default, in the order in which transformers adds them.
    pub(super) fn named_tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::T5 => &[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")],
            Self::Pegasus => {
                &[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>"), ("mask_token", "<mask_2>")]
            }
            Self::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::ProphetNet => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("mask_token", "[MASK]"),
                ("x_sep_token", "[X_SEP]"),
            ],
            Self::Seamless => &FAIRSEQ[..6],
            _ => &FAIRSEQ,
        }
    }

    /// Whether spaces before punctuation are removed from a decoded text unless the settings say otherwise.
    pub(super) fn cleans_up(self) -> bool {
        matches!(self, Self::PlBart | Self::ProphetNet)
    }

    /// The default of the unknown token.
    pub(super) fn unknown(self) -> &'static str {
        if matches!(self, Self::Bert | Self::ProphetNet) { "[UNK]" } else { "<unk>" }
    }

    /// The language codes that the class itself defines, in the order of their ids.
    pub(super) fn language_codes(self, settings: &TokenizerSettings) -> Vec<&'static str> {
        match self {
            Self::M2m100 if settings.text("language_codes") == Some("wmt21") => WMT21.split_whitespace().collect(),
            Self::M2m100 | Self::Small100 => M2M100.split_whitespace().collect(),
            Self::PlBart if settings.text("language_codes") == Some("multi") => PLBART.to_vec(),
            Self::PlBart => PLBART[..3].to_vec(),
            Self::MBart => MBART.split_whitespace().collect(),
            Self::MBart50 => MBART.split_whitespace().chain(MBART50_MORE.split_whitespace()).collect(),
            Self::Nllb => NLLB.split_whitespace().collect(),
            _ => Vec::new(),
        }
    }
}

/// The special tokens of most classes, with their names.
const FAIRSEQ: [(&str, &str); 7] = [
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "</s>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<s>"),
    ("mask_token", "<mask>"),
];

/// Whether an M2M100 model is SMaLL-100. Its class is in no release of transformers: its files are those of M2M100, and
/// config.json need not name it. No other published M2M100 model has its shape.
fn is_small100(config: &Value) -> bool {
    let says = |key: &str| {
        config.get(key).map(Value::to_string).is_some_and(|text| {
            let text = text.to_lowercase();
            text.contains("small100") || text.contains("small-100")
        })
    };
    let size = |key: &str| config.get(key).and_then(Value::as_u64);
    let shape = [("encoder_layers", 12), ("decoder_layers", 3), ("d_model", 1024), ("vocab_size", 128_112)];
    says("_name_or_path") || says("auto_map") || shape.iter().all(|&(key, value)| size(key) == Some(value))
}

const PLBART: [&str; 7] = ["__java__", "__python__", "__en_XX__", "__javascript__", "__php__", "__ruby__", "__go__"];

const WMT21: &str = "en ha is ja cs ru zh de";

const M2M100: &str = "\
    af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy id \
    ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk \
    sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu";

const MBART: &str = "\
    ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX \
    ro_RO ru_RU si_LK tr_TR vi_VN zh_CN";

const MBART50_MORE: &str = "\
    af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN \
    te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI";

const NLLB: &str = "\
    ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn amh_Ethi apc_Arab arb_Arab ars_Arab ary_Arab \
    arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng \
    bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn \
    cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn \
    pes_Arab fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn \
    hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn \
    jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn \
    khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kon_Latn kor_Hang kmr_Latn lao_Laoo lvs_Latn lij_Latn lim_Latn lin_Latn \
    lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn lug_Latn luo_Latn lus_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn \
    mkd_Cyrl plt_Latn mlt_Latn mni_Beng khk_Cyrl mos_Latn mri_Latn zsm_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva \
    nso_Latn nus_Latn nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pol_Latn por_Latn prs_Arab pbt_Arab \
    quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Beng scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn \
    sna_Latn snd_Arab som_Latn sot_Latn spa_Latn als_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn \
    tam_Taml tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi taq_Latn taq_Tfng tpi_Latn tsn_Latn tso_Latn tuk_Latn \
    tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn \
    xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zul_Latn";
