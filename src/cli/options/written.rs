//! How values of options are written in the settings file.

/// A text, or a list of texts.
pub mod one_or_many {
    use serde::de::{Deserialize, Deserializer};
    use serde::{Serialize, Serializer};

    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub fn serialize<S: Serializer>(value: &Option<Vec<String>>, serializer: S) -> Result<S::Ok, S::Error> {
        match value.as_deref() {
            Some([one]) => Some(one).serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
        Ok(Option::<OneOrMany>::deserialize(deserializer)?.map(|value| match value {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }))
    }
}

/// Values that have a text form of their own in the library.
pub mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::{Serialize, Serializer};

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err = String>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Numbers that have the bounds of the command line.
pub mod in_bounds {
    use serde::de::{Deserialize, Deserializer, Error};

    use super::super::super::values;

    pub fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
        typed(deserializer, values::at_least_one)
    }

    pub fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
        typed(deserializer, values::threads)
    }

    /// Reads a number as `parse` would read it if it were typed.
    fn typed<'de, D: Deserializer<'de>>(
        deserializer: D,
        parse: fn(&str) -> Result<usize, String>,
    ) -> Result<Option<usize>, D::Error> {
        let number = Option::<i64>::deserialize(deserializer)?;
        number.map(|number| parse(&number.to_string()).map_err(D::Error::custom)).transpose()
    }
}

/// Values of a list that is not written here.
pub mod as_value {
    use clap::ValueEnum;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::{Serialize, Serializer};

    fn name(value: &impl ValueEnum) -> Option<String> {
        value.to_possible_value().map(|value| value.get_name().to_owned())
    }

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub fn serialize<T: ValueEnum, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(name).serialize(serializer)
    }

    pub fn deserialize<'de, T: ValueEnum + 'static, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        T::from_str(&text, false).map(Some).map_err(|_| {
            let known: Vec<String> =
                T::value_variants().iter().filter_map(name).map(|name| format!("`{name}`")).collect();
            D::Error::custom(format!("unknown variant `{text}`, expected one of {}", known.join(", ")))
        })
    }
}
