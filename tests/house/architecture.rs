//! The order of the rooms that `docs/architecture.md` states, held against every import in `src`.
//!
//! The table of that page is the only source: a row may import from the rows above it and from itself. Checked besides:
//! no circle between two files of a folder, and no import by way of the crate's root or of another room's re-export.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module path below the crate, such as `certify`, `settings`.
type Module = Vec<String>;

struct Import {
    file: PathBuf,
    /// The module that the file is.
    from: Module,
    /// Module and name that it asks for, below the crate.
    to: Module,
    /// Whether it hands the name on (`pub use`).
    exported: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms in the order of the table: the first cell of each row, in backquotes.
fn rooms() -> Vec<Module> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, table) = page.split_once("\n| room |").expect("docs/architecture.md has a table of rooms");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cell = row.split('|').nth(1).unwrap().trim();
        cell.trim_matches('`').split('/').map(String::from).collect()
    })
    .collect()
}

/// The row of a module: the longest that it lies in.
fn row(rooms: &[Module], module: &[String]) -> Option<usize> {
    let inside = rooms.iter().enumerate().filter(|(_, room)| module.starts_with(room));
    inside.max_by_key(|(_, room)| room.len()).map(|(place, _)| place)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_of(file: &Path) -> Module {
    let below = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut module: Module = below.iter().map(|part| part.to_str().unwrap().into()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The paths of a `use` tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<Module> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let plain = tree.split(" as ").next().unwrap_or(tree);
        return vec![plain.split("::").map(|part| part.trim().to_string()).collect()];
    };
    let inner = inner.trim_end().strip_suffix('}').expect("a use tree ends with its brace");
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (place, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let prefix: Module =
        before.split("::").map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect();
    let nonempty = parts.into_iter().filter(|part| !part.trim().is_empty());
    nonempty.flat_map(|part| paths(part).into_iter().map(|rest| [prefix.clone(), rest].concat())).collect()
}

/// A path as it is written in a module, below the crate; none for what is not of this crate.
fn absolute(from: &[String], is_folder: bool, path: &[String], known: &BTreeSet<Module>) -> Option<Module> {
    let mut base: Module = match path[0].as_str() {
        "crate" => Vec::new(),
        "super" | "self" => from.to_vec(),
        // A child of a folder's mod.rs.
        child => {
            let module = [from, &[child.to_string()]].concat();
            return (is_folder && known.contains(&module)).then(|| [from, path].concat());
        }
    };
    for part in path {
        match part.as_str() {
            "super" => drop(base.pop()),
            "crate" | "self" => {}
            other => base.push(other.into()),
        }
    }
    Some(base)
}

/// Every import in the sources: the `use` items, and the paths from `crate` or `super` in the code.
fn imports() -> Vec<Import> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    files.sort();
    let known: BTreeSet<Module> = files.iter().map(|file| module_of(file)).collect();
    let mut found = Vec::new();
    for file in &files {
        let from = module_of(file);
        if from == ["lib"] || from == ["main"] {
            continue;
        }
        let is_folder = file.ends_with("mod.rs");
        let text = code(&fs::read_to_string(file).unwrap());
        let mut rest = String::new();
        let mut items = text.as_str();
        // `use` items, with what comes before the word on its line.
        while let Some(place) = items.find("use ") {
            let line = items[..place].rfind('\n').map_or(0, |end| end + 1);
            let visibility = items[line..place].trim();
            let is_item =
                visibility.is_empty() || (visibility.starts_with("pub") && !visibility.contains(' '));
            let end = items[place..].find(';').map_or(items.len(), |end| place + end);
            if is_item {
                for path in paths(&items[place + 4..end]) {
                    if let Some(to) = absolute(&from, is_folder, &path, &known) {
                        let exported = !visibility.is_empty();
                        found.push(Import { file: file.clone(), from: from.clone(), to, exported });
                    }
                }
                rest.push_str(&items[..place]);
                items = &items[end..];
            } else {
                rest.push_str(&items[..place + 4]);
                items = &items[place + 4..];
            }
        }
        rest.push_str(items);
        let word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
        for path in rest.split(|letter| !word(letter)) {
            if path.starts_with("crate::") || path.starts_with("super::") {
                let path: Module =
                    path.split("::").map(String::from).filter(|part| !part.is_empty()).collect();
                if let Some(to) = absolute(&from, is_folder, &path, &known) {
                    found.push(Import { file: file.clone(), from: from.clone(), to, exported: false });
                }
            }
        }
    }
    found
}

fn complain(what: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{what}:\n{}", complaints.join("\n"));
}

#[test]
fn imports_go_up_the_table_of_the_document() {
    let (rooms, imports) = (rooms(), imports());
    let mut complaints = Vec::new();
    for import in &imports {
        let (file, to) = (import.file.display(), import.to.join("::"));
        match (row(&rooms, &import.from), row(&rooms, &import.to)) {
            (Some(here), Some(there)) if there <= here => {}
            (Some(here), Some(there)) => {
                let (here, there) = (rooms[here].join("/"), rooms[there].join("/"));
                complaints.push(format!("{file}: {to}; `{there}` stands below `{here}`"));
            }
            (Some(_), None) => complaints.push(format!("{file}: {to}; of no room of the table")),
            (None, _) => complaints.push(format!("{file} lies in no room of the table and imports {to}")),
        }
    }
    assert!(imports.len() > 500, "only {} imports were found", imports.len());
    complain("imports against the order of docs/architecture.md", &complaints);
}

#[test]
fn rooms_of_the_table_and_folders_of_the_source_are_the_same() {
    let rooms = rooms();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let modules: Vec<Module> = files.iter().map(|file| module_of(file)).collect();
    let missing: Vec<String> = rooms
        .iter()
        .filter(|room| !modules.iter().any(|module| module.starts_with(room)))
        .map(|room| room.join("/"))
        .collect();
    complain("rooms without a source", &missing);
    let homeless: Vec<String> = modules
        .iter()
        .filter(|module| row(&rooms, module).is_none())
        .filter(|module| !["lib", "main", "certify"].contains(&module.join("/").as_str()))
        .map(|module| module.join("/"))
        .collect();
    complain("sources without a room", &homeless);
}

#[test]
fn a_name_is_imported_from_the_room_that_defines_it() {
    let (rooms, imports) = (rooms(), imports());
    // Names that a room hands on from another.
    let foreign: BTreeSet<(usize, &String)> = imports
        .iter()
        .filter(|import| import.exported)
        .filter_map(|import| {
            let (here, there) = (row(&rooms, &import.from)?, row(&rooms, &import.to)?);
            (here != there).then_some((here, import.to.last()?))
        })
        .collect();
    let complaints: Vec<String> = imports
        .iter()
        .filter(|import| row(&rooms, &import.from) != row(&rooms, &import.to))
        .filter(|import| {
            let (room, name) = (row(&rooms, &import.to), import.to.last());
            room.zip(name).is_some_and(|(room, name)| foreign.contains(&(room, name)))
        })
        .map(|import| format!("{}: {}", import.file.display(), import.to.join("::")))
        .collect();
    complain("names imported by way of another room", &complaints);
}

#[test]
fn no_two_files_import_each_other() {
    let imports = imports();
    let modules: BTreeSet<Module> = imports.iter().map(|import| import.from.clone()).collect();
    // What a folder's mod.rs hands on from its files.
    let mut handed: BTreeMap<(&Module, &String), &Module> = BTreeMap::new();
    for import in imports.iter().filter(|import| import.exported) {
        if let Some(name) = import.to.last() {
            handed.insert((&import.from, name), &import.to);
        }
    }
    let file_of = |to: &Module| {
        let mut to = to.clone();
        for _ in 0..8 {
            let length = (1..=to.len()).rev().find(|length| modules.contains(&to[..*length]))?;
            let module = to[..length].to_vec();
            match to.get(length).and_then(|name| handed.get(&(&module, name))) {
                Some(further) => to = (*further).clone(),
                None => return Some(module),
            }
        }
        None
    };
    // A folder's mod.rs and the files below it tell one story: they may know each other.
    let related = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
    let mut next: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for import in &imports {
        if let Some(to) = file_of(&import.to).filter(|to| !related(to, &import.from)) {
            next.entry(import.from.clone()).or_default().insert(to);
        }
    }
    // Files that import none of those left, or that none of them imports, go until only circles are left.
    loop {
        let aims: BTreeSet<Module> = next.values().flatten().cloned().collect();
        let before = next.len();
        let left: BTreeSet<Module> = next.keys().cloned().collect();
        next.retain(|module, targets| aims.contains(module) && !targets.is_disjoint(&left));
        if next.len() == before {
            break;
        }
    }
    let circles: Vec<String> = next
        .iter()
        .map(|(module, targets)| {
            let targets: Vec<String> =
                targets.iter().filter(|target| next.contains_key(*target)).map(|t| t.join("/")).collect();
            format!("{} -> {}", module.join("/"), targets.join(", "))
        })
        .collect();
    complain("files on circles of imports", &circles);
}
