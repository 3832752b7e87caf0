//! `docs/report.schema.json` against the reports of all roads.

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

/// What a value has against a schema. Knows the keywords that the schema uses, and no others.
fn objections(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let number = |keyword: &Value| keyword.as_f64().expect("a number");
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => {
                let is = |name: &Value| match name.as_str().expect("a name") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    "number" => value.is_number(),
                    "integer" => value.is_u64() || value.is_i64(),
                    other => panic!("type {other}"),
                };
                wanted.as_array().map_or_else(|| is(wanted), |names| names.iter().any(is))
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().expect("a list").contains(value),
            "minimum" => value.as_f64().is_none_or(|value| value >= number(wanted)),
            "maximum" => value.as_f64().is_none_or(|value| value <= number(wanted)),
            "exclusiveMinimum" => value.as_f64().is_none_or(|value| value > number(wanted)),
            "required" => value.as_object().is_none_or(|object| {
                wanted
                    .as_array()
                    .expect("a list")
                    .iter()
                    .all(|key| object.contains_key(key.as_str().unwrap()))
            }),
            "additionalProperties" => value.as_object().is_none_or(|object| {
                let known = schema["properties"].as_object().expect("properties");
                object.keys().all(|key| known.contains_key(key))
            }),
            "properties" => {
                for (key, schema) in wanted.as_object().expect("properties") {
                    if let Some(value) = value.get(key) {
                        objections(schema, value, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "items" => {
                for (k, value) in value.as_array().into_iter().flatten().enumerate() {
                    objections(wanted, value, &format!("{place}/{k}"), found);
                }
                true
            }
            other => panic!("keyword {other} is not known to this test"),
        };
        if !holds {
            found.push(format!("{place}: {keyword} {wanted}, not {value}"));
        }
    }
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let output = Command::cargo_bin("relucert")
        .unwrap()
        .args(arguments)
        .args(["--json", "--quiet"])
        .timeout(std::time::Duration::from_secs(120))
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn reports_of_every_road_fit_the_schema() {
    let runs: [&[&str]; 5] = [
        &["certify", "iris", "--gamma", "20", "--standardize", "--bias", "--seed", "3"],
        &["certify", "iris", "--gamma", "20", "--method", "low-rank", "--tolerance", "0.05"],
        &["certify", "iris", "--gamma", "20", "--method", "low-rank", "--blocks", "3", "--tolerance", "0.05"],
        &["certify", "iris", "--gamma", "20", "--time-limit", "1ms"],
        &["reference", "iris", "--gamma", "60"],
    ];
    for arguments in runs {
        let report = report(arguments);
        let mut found = Vec::new();
        objections(&schema(), &report, "", &mut found);
        assert!(found.is_empty(), "{arguments:?}: {found:?}");
        let told = &report["provenance"];
        assert_eq!(told["data"]["name"], "iris");
        // sha256sum datasets/iris.csv
        assert_eq!(
            told["data"]["sha256"],
            "9cc1c345c71bcc9b486b74cbf6063fa66f4bb5e0f603a4b3c3471ec2e5e8e355"
        );
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
        let words: Vec<&str> = told["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(words[..arguments.len()], *arguments);
    }
}

#[test]
fn what_is_no_report_does_not_fit() {
    let good = report(&["certify", "iris", "--gamma", "60"]);
    let spoilt = |spoil: &dyn Fn(&mut Value)| {
        let mut report = good.clone();
        spoil(&mut report);
        let mut found = Vec::new();
        objections(&schema(), &report, "", &mut found);
        found.len()
    };
    assert_eq!(spoilt(&|_| {}), 0);
    assert_eq!(spoilt(&|report| report["gamma"] = 0.into()), 1);
    assert_eq!(spoilt(&|report| report["grade"] = "good".into()), 1);
    assert_eq!(spoilt(&|report| report["lower"] = 1.into()), 1);
    assert_eq!(spoilt(&|report| report["provenance"]["data"]["bytes"] = "many".into()), 2 - 1);
    assert_eq!(spoilt(&|report| drop(report.as_object_mut().unwrap().remove("seconds"))), 1);
}
