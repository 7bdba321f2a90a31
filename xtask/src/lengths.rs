//! How long product code may be: a file at most 400 lines, a function of Rust at most 60.
//!
//! The definitions of the state machines are no code: each is one document, by its states.

use crate::words::collect;
use local_aws::tools::workspace;
use regex_lite::Regex;
use std::path::Path;

/// Where product code is.
const FOLDERS: [&str; 6] = ["functions", "cdk/app", "cdk/lib", "cdk/bin", "cdk/package", "cli/src"];

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 60;

/// Product code, by its path in the repository.
fn product_code() -> Vec<(String, String)> {
    let root = workspace();
    let mut files = Vec::new();
    for folder in FOLDERS
        .map(|folder| root.join(folder))
        .into_iter()
        .filter(|folder| folder.is_dir())
    {
        collect(&folder, &mut files);
    }
    let named = files.into_iter().filter_map(|file| {
        let path = file.strip_prefix(root).ok()?.to_str()?.to_owned();
        (is_product(&path)).then(|| (path, std::fs::read_to_string(&file).unwrap()))
    });
    named.collect()
}

/// Tests are in `tests.rs` and in folders of that name.
fn is_product(path: &str) -> bool {
    let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let is_code = has_ending(path, "rs") || has_ending(path, "ts");
    is_code && !is_test && (!path.starts_with("functions/") || path.contains("/src/"))
}

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|is| is == ending)
}

/// The functions of code that rustfmt has formatted, each with its lines from brace to brace, without blank ones and comments.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let begins = Regex::new(r"^( *)(pub(\([a-z:() ]+\))? )?(const )?(async )?fn (\w+)").unwrap();
    let lines: Vec<&str> = code.lines().collect();
    let mut functions = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(found) = begins.captures(line) else { continue };
        let (indent, name) = (found.get(1).unwrap().as_str(), found.get(6).unwrap().as_str());
        let head = lines[number..]
            .iter()
            .position(|line| line.ends_with(['{', ';', '}']))
            .unwrap();
        if !lines[number + head].ends_with('{') {
            continue;
        }
        let body = lines[number + head..]
            .iter()
            .take_while(|line| **line != format!("{indent}}}"));
        let is_code = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        functions.push((name, body.filter(is_code).count() + 1));
    }
    functions
}

#[test]
fn no_file_of_product_code_has_more_than_400_lines() {
    let files = product_code();
    assert!(files.len() > 100, "{}", files.len());
    let is_long = |(_, code): &&(String, String)| code.lines().count() > LONGEST_FILE;
    let long: Vec<&String> = files.iter().filter(is_long).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "split by concept: {long:?}");
}

#[test]
fn no_function_of_product_code_has_more_than_60_lines() {
    let mut long = Vec::new();
    for (path, code) in product_code().iter().filter(|(path, _)| has_ending(path, "rs")) {
        let functions = functions(code)
            .into_iter()
            .filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        long.extend(functions.map(|(name, lines)| format!("{path}: {name} has {lines}")));
    }
    assert!(long.is_empty(), "split along its decisions: {long:#?}");
}

#[test]
fn a_function_is_measured_from_brace_to_brace() {
    let code = "impl It {\n    pub(crate) async fn long(\n        one: u8,\n    ) -> u8 {\n        // why\n\n        one\n    }\n}\n\n\
                trait That {\n    fn that();\n}\n\nfn short() {}\n\nfn last() {\n    one();\n    two();\n}\n";
    assert_eq!(functions(code), [("long", 3), ("last", 4)]);
}
