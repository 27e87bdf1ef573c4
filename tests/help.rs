//! The help, the errors of a command line and the man pages, in both languages.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::process::Command;

use serde_json::Value;

struct Said {
    status: i32,
    out: String,
    err: String,
}

fn run(args: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
    command.args(args).env_clear().env("COLUMNS", "80").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn spanish(args: &[&str]) -> Said {
    run(args, &[("LANG", "es_CL.UTF-8")])
}

/// What clap, or its man pages, say in English by themselves.
const ENGLISH: [&str; 23] = [
    "Usage:",
    "Commands:",
    "Arguments:",
    "Options:",
    "Possible values",
    "[possible",
    "[default",
    "[env",
    "[OPTIONS]",
    "<COMMAND>",
    "Print ",
    "Examples",
    "Exit status",
    "For more information",
    "unexpected",
    "unrecognized",
    "required",
    "invalid",
    "cannot",
    "a similar",
    "tip:",
    "subcommand",
    "SYNOPSIS",
];

#[track_caller]
fn is_spanish(text: &str) {
    for english in ENGLISH {
        assert!(!text.contains(english), "`{english}` in:\n{text}");
    }
}

/// The words of every command that is shown.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            below(sub, &[path, &[sub.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    below(&civicum_tune::cli::command(), &[], &mut found);
    assert!(found.len() > 40);
    found
}

#[test]
fn every_help_has_examples_and_speaks_the_language_of_the_host() {
    for words in commands() {
        for help in ["--help", "-h"] {
            let args: Vec<&str> = words.iter().map(String::as_str).chain([help]).collect();
            let (there, here) = (run(&args, &[]), spanish(&args));
            for (said, examples) in [(&there, "\nExamples:\n"), (&here, "\nEjemplos:\n")] {
                assert_eq!((said.status, said.err.as_str()), (0, ""), "{args:?}");
                assert!(said.out.contains(examples), "{args:?}: {}", said.out);
                let widest = said.out.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(80), "{args:?}: {}", said.out);
                // The source's own markup stays in the source.
                for markup in ["<http", "<postgresql", ": `CIVICUM", ": `ORT", "`OpenAI`"] {
                    assert!(!said.out.contains(markup), "{args:?}: {}", said.out);
                }
            }
            is_spanish(&here.out);
            // Nothing is left out in one of them.
            let options = |said: &Said| {
                said.out
                    .lines()
                    .filter(|line| line.trim_start().starts_with('-') || line.starts_with("  ["))
                    .count()
            };
            assert!(help == "-h" || options(&there) == options(&here), "{}{}", there.out, here.out);
        }
    }
}

#[test]
fn the_command_line_chooses_before_the_locale() {
    let es = [("LC_ALL", "es_ES.UTF-8"), ("LANG", "C")];
    assert!(run(&["plan", "-h"], &es).out.contains("\nUso: civicum-tune plan [OPCIONES]\n"));
    assert!(run(&["plan", "-h", "--lang", "en"], &es).out.contains("\nUsage: civicum-tune plan [OPTIONS]\n"));
    assert!(run(&["--lang=es", "help", "plan"], &[]).out.contains("\nUso: civicum-tune plan [OPCIONES]\n"));
    // A language that it does not speak is an error in that of the locale.
    let said = run(&["plan", "--lang", "fr"], &es);
    assert_eq!(said.status, 2);
    assert!(
        said.err.contains("'fr' no es un valor válido") && said.err.contains("[valores posibles: en, es]")
    );
    assert_eq!(run(&["-V"], &es).out, run(&["-V"], &[]).out);
    // Colours are for a terminal, or for who asks for them.
    assert!(!spanish(&["plan", "-h"]).out.contains('\x1b'));
    for lang in ["en", "es"] {
        assert!(
            run(&["plan", "-h", "--color", "always", "--lang", lang], &[]).out.contains("\x1b[1m"),
            "{lang}"
        );
    }
}

#[test]
fn errors_are_whole_sentences_in_spanish() {
    for (args, what) in [
        (
            &["paln"][..],
            "no existe el comando 'paln'\n\n  sugerencia: hay algo parecido: 'man', 'plan'\n\nUso: ",
        ),
        (
            &["plan", "--bogus"],
            "no se conoce el argumento '--bogus'\n\nUso: civicum-tune plan [OPCIONES]\n\nPara más",
        ),
        (&["plan", "--profil", "x"], "\n\n  sugerencia: hay algo parecido: '--profile'\n"),
        (&["ocr", "-x"], "para dar '-x' como valor: '-- -x'"),
        (&["queue", "list", "--follow"], "no se conoce el argumento '--follow'"),
        (&["plan", "--out"], "'--out <FILE>' necesita un valor y no lo tiene"),
        (
            &["plan", "--format", "jsn"],
            "  [valores posibles: human, json, sarif, junit, github]\n\n  sugerencia: ",
        ),
        (&["rollback", "soon"], "'soon' no es un valor válido para '[ID]': no es un número entero\n"),
        (&["queue", "list", "--most", "0"], ": va de 1 a 10000\n"),
        (&["api", "--listen", "here"], "no es una dirección con puerto"),
        (&["bench", "--time", "x"], "no es un tiempo"),
        (&["bench", "--time", "5"], "no es un tiempo"),
        (&["bench", "--disk-size", "5 x"], "unidad desconocida"),
        (&["queue", "review", "1", "--accept", "--note", ""], "lleva de 1 a"),
        (&["plan", "--yes=1"], "'1' es un valor de más para '--yes'"),
        (&["plan", "--yes", "--yes"], "'--yes' solo puede ir una vez"),
        (&["validate"], "falta lo que es obligatorio:\n  <FILE>...\n"),
        (&["queue", "review", "1"], "falta lo que es obligatorio:\n  <--accept|--reject>\n"),
        (&["apply", "--profile", "x", "plan.json"], "no puede ir junto con '[FILE]'"),
        (&["--yes"], "a 'civicum-tune' le falta un comando"),
        (
            &["worker", "--ocr-option=--dpi=x"],
            "'x' no es un valor válido para '--dpi <DPI>': no es un número entero",
        ),
    ] {
        let said = spanish(args);
        assert_eq!((said.status, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.starts_with("error: ") && said.err.contains(what), "{args:?}: {}", said.err);
        is_spanish(&said.err);
        // The document says the same.
        let document = spanish(&[args, &["--format=json"]].concat());
        if !args.contains(&"--format") {
            let error: Value = serde_json::from_str(&document.out).unwrap();
            assert!(error["error"].as_str().unwrap().contains(what.trim()), "{args:?}: {error}");
        }
    }
    // In English it is clap's own, as ever; no word of a stranger's drives the terminal.
    assert!(run(&["plan", "--bogus"], &[]).err.starts_with("error: unexpected argument '--bogus' found\n"));
    assert!(!spanish(&["a\x1b[2Jb"]).err.contains("\x1b[2J"));
    // Without a command the help is the answer, and trouble.
    let said = spanish(&[]);
    assert!(
        said.status == 2 && said.out.is_empty() && said.err.contains("\nUso: civicum-tune"),
        "{}",
        said.err
    );
}

#[test]
fn a_page_names_variables_and_is_used_as_the_help_says() {
    let page = |words: &[&str], lang: &str| {
        let said = run(&[&["man"], words, &["--lang", lang]].concat(), &[("CIVICUM_TUNE_OCR_DPI", "secret")]);
        said.out.replace('\\', "")
    };
    let (english, spanish) = (page(&["ocr"], "en"), page(&["ocr"], "es"));
    assert!(english.contains("[env: CIVICUM_TUNE_OCR_DPI]") && !english.contains("secret"), "{english}");
    assert!(spanish.contains("[variable: CIVICUM_TUNE_OCR_DPI]"), "{spanish}");
    assert!(page(&[], "en").contains("fBcivicum-tunefR [OPTIONS] <COMMAND>\n"));
    assert!(page(&["queue", "list"], "en").contains("fBcivicum-tune queue listfR [OPTIONS]\n"));
    assert!(page(&["queue", "list"], "es").contains("fBcivicum-tune queue listfR [OPCIONES]\n"));
    assert!(
        page(&["queue", "retry"], "en").contains("fBcivicum-tune queue retryfR [OPTIONS] [DOCUMENT]...\n")
    );
    assert!(page(&["validate"], "en").contains("fBcivicum-tune validatefR [OPTIONS] <FILE>...\n"));
}

#[test]
fn every_page_of_the_manual_is_there_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().to_str().unwrap();
    let mut known = Vec::new();
    for (lang, sections) in [
        ("en", ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "VERSION"]),
        ("es", ["NOMBRE", "SINOPSIS", "DESCRIPCIÓN", "OPCIONES", "ESTADO DE SALIDA", "EJEMPLOS", "VERSIÓN"]),
    ] {
        assert_eq!(run(&["man", "--out", into, "--lang", lang], &[]).status, 0);
        let mut names = Vec::new();
        for words in commands() {
            let name = [&["civicum-tune".to_owned()], words.as_slice()].concat().join("-");
            let text = fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
            let mut at = 0;
            for section in sections {
                let heading = format!("\n.SH \"{section}\"\n");
                at += text[at..].find(&heading).unwrap_or_else(|| panic!("{name}: no {section}\n{text}"));
            }
            let title =
                format!(".TH {} 1 \"\" \"civicum-tune {}\" ", name.to_uppercase(), env!("CARGO_PKG_VERSION"));
            assert!(text.contains(&title) && !text.contains(".SH EXTRA\n"), "{text}");
            if lang == "es" {
                is_spanish(&text);
            }
            let args: Vec<&str> =
                ["man", "--lang", lang].into_iter().chain(words.iter().map(String::as_str)).collect();
            assert_eq!(run(&args, &[]).out, text, "{args:?}");
            names.push(name);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names.len());
        known.push(names);
    }
    assert_eq!(known[0], known[1]);
    // By its other name, and one that there is not.
    assert_eq!(run(&["man", "diff"], &[]).out, run(&["man", "plan"], &[]).out);
    assert!(run(&["man", "queue", "nothing"], &[]).err.contains("there is no command `queue nothing`"));
    // What ends in a way of its own says so in its page.
    assert!(run(&["man", "ocr"], &[]).out.contains("\n0 read, perhaps with findings"));
    assert!(run(&["man", "plan"], &[]).out.contains("\n0 done, nothing differs; 1 changes are pending"));
}

#[test]
fn completions_speak_the_language_too() {
    let (there, here) = (run(&["completions", "zsh"], &[]), spanish(&["completions", "zsh"]));
    assert!(there.out.contains("Say what this host is") && here.out.contains("Dice qué es este host"));
    assert_eq!(run(&["completions", "bash"], &[]).out, spanish(&["completions", "bash"]).out);
}

/// A heading that options of a kind share must not swallow what a command is about.
#[test]
fn what_a_command_works_on_stands_among_its_arguments() {
    fn of(command: &clap::Command) {
        for argument in command.get_positionals() {
            assert_eq!(argument.get_help_heading(), None, "{}: {argument}", command.get_name());
        }
        command.get_subcommands().for_each(of);
    }
    of(&civicum_tune::cli::command());
}
