//! `trm data grid --describe`.

use crate::output::out;
use anyhow::Result;
use trm::Model;
use trm_data::text::{counted, foreign, percent};
use trm_data::{Dataset, GridFacts, Grids, Purpose, Told, stream};
use trm_ops::Device;
use trm_puzzles::grid::Size;
use trm_train::Recipe;

/// Prints what files tell, and the recipe that would train on them.
pub(super) fn describe(grids: &Grids, facts: &GridFacts) -> Result<()> {
    let format = &grids.format;
    let most = if format.symbols().iter().any(|symbol| symbol == " ") { "at most " } else { "" };
    let size = |(width, height): Size| match height {
        1 => format!("a sequence of {most}{}", counted(width, "cell")),
        _ => format!("{most}{width}×{height} cells"),
    };
    out!("domain         {}", foreign(&grids.domain().name()));
    out!("question       {}", size(format.question()));
    out!("answer         {}", size(format.answer()));
    out!("symbols        {}: {}", format.symbols().len(), quoted(format.symbols()));
    out!("examples       {} of {}", facts.examples, counted_classes(facts.classes));
    if let Some(test) = &grids.test {
        out!("to test on     {}, {} of a class to train on", test.pairs.len(), facts.shared);
    }
    out!("cells          {} are the same in question and answer", percent(facts.same_cells));
    match facts.kept.is_empty() {
        true => out!("kept           no symbol of a question keeps its cell in every answer"),
        false => out!("kept           cells with {} keep it in every answer", quoted(&facts.kept)),
    }
    match facts.two_answers {
        0 => out!("function       no question has two answers"),
        n => out!("function       {} another answer to the same question", has(n)),
    }
    out!("augmentations");
    for (augmentation, told) in &facts.augmentations {
        out!("  {:<13}{}", augmentation.name(), said(told));
    }
    recipe(&grids.data())
}

/// The recipe that `trm train --data` takes, and the size of its network.
fn recipe(data: &Dataset) -> Result<()> {
    let text = Recipe::suited(data);
    let recipe = Recipe::parse(&text, &[]).map_err(trm_data::Error::Recipe)?;
    let rng = &mut stream(recipe.seed, Purpose::Weights, 0);
    let (parameters, _) =
        Model::new(&recipe.model_for(data), &Device::cpu(1), rng)?.parameter_count();
    out!("parameters     {parameters}, by this recipe of `trm train --data`:");
    out!("\n{}", text.trim_end());
    Ok(())
}

fn said(told: &Told) -> String {
    match told {
        Told::Misfit(why) => why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_owned(),
        Told::Nothing => "not told: no two examples are each other's".to_owned(),
        Told::Agrees(count) => {
            format!("may hold: {} with it, none against", counted(*count, "example"))
        }
        Told::Refuted(one, other) => format!("does not hold: see lines {one} and {other}"),
    }
}

fn counted_classes(count: usize) -> String {
    if count == 1 { "1 class".to_owned() } else { format!("{count} classes") }
}

fn has(examples: usize) -> String {
    if examples == 1 { "1 example has".to_owned() } else { format!("{examples} examples have") }
}

fn quoted(symbols: &[String]) -> String {
    symbols.iter().map(|symbol| format!("`{symbol}`")).collect::<Vec<_>>().join(" ")
}
