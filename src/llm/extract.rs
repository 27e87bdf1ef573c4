//! A whole document: cut where it is too long, asked chunk by chunk, joined, and looked over.

use std::time::{Duration, Instant};

use super::ask::{Asker, Spent};
use super::doubt::{Doubt, Kind, ruts};
use super::error::Error;
use super::merge::merge;
use super::schema::Schema;
use super::server::{Api, Server};
use super::split::Document;
use super::tokens::Ruler;
use super::{Extraction, Limits, Task, openai, prompt};

/// For what joints, marks and another count than ours may add, in tokens.
const MARGIN: u32 = 32;
/// What a server without a token count may put around our messages, in tokens.
const TEMPLATE: u32 = 64;
/// The smallest chunk that makes sense, in tokens.
const LEAST: u32 = 64;
/// How often the chunks are made smaller, by a quarter each time, where the server says that they are too long.
const SMALLER: u32 = 5;

/// What a document says, as the task's schema asks.
///
/// `progress` is told the number of the chunk that begins, from 1, and how many there are; that can grow where a server counts
/// more tokens than it had told of.
pub async fn extract(
    server: &Server,
    task: &Task<'_>,
    limits: &Limits,
    mut progress: impl FnMut(usize, usize),
) -> Result<Extraction, Error> {
    let began = Instant::now();
    let schema = Schema::new(task.schema)?;
    let document = Document::new(task.pages);
    if document.text.is_empty() {
        return Err(Error::NoText);
    }
    let api = server.probe().await?;
    let most = server.context(api).await?;
    let context = most.map_or(limits.num_ctx, |most| most.min(limits.num_ctx));
    let mark = prompt::mark(&document.text);
    let taken = overhead(server, api, task, &schema, &mark).await?;
    let fixed = taken.saturating_add(limits.num_predict).saturating_add(MARGIN);
    let room = context.checked_sub(fixed).filter(|room| *room >= LEAST);
    let no_room = || Error::NoRoom { context, needed: fixed.saturating_add(LEAST) };
    let mut room = room.ok_or_else(no_room)?;
    let ruler = Ruler::of(server, api, &document.text).await?;

    let asker =
        Asker { server, api, schema: &schema, limits, instruction: task.instruction, context, mark: &mark };
    let mut left = document.split(&ruler, 0, as_size(room));
    left.reverse();
    let (mut values, mut spent, mut smaller) = (Vec::new(), Spent::default(), 0);
    // The first chunk has the server load its model: what one takes is known from the second on.
    let mut warm = None;
    while let Some(chunk) = left.pop() {
        let of = values.len() + 1 + left.len();
        progress(values.len() + 1, of);
        if values.len() == 1 {
            warm = Some(Instant::now());
        }
        let each =
            warm.map(|warm| warm.elapsed() / u32::try_from(values.len() - 1).unwrap_or(u32::MAX).max(1));
        if let (Some(each), Some(whole), 2..) = (each, limits.whole, values.len()) {
            if is_late(each, of - values.len(), whole.saturating_sub(began.elapsed())) {
                return Err(Error::Late { chunks: of, each, whole });
            }
        }
        match asker.ask(&document.text[chunk.clone()], of > 1, &mut spent).await {
            Ok(value) => values.push(value),
            Err(Error::TooLong) => {
                smaller += 1;
                room = (room / 4 * 3).min(as_tokens(ruler.tokens(chunk.clone())) / 4 * 3);
                if smaller > SMALLER || room < LEAST / 2 {
                    return Err(no_room());
                }
                left = document.split(&ruler, chunk.start, as_size(room));
                left.reverse();
            }
            Err(error) => return Err(error),
        }
    }

    let chunks = values.len();
    let mut unsupported = Vec::new();
    let value = merge(values, &schema, &mut unsupported);
    if let Some(broken) = schema.broken(&value) {
        unsupported.push(Doubt { pointer: broken.at, kind: Kind::Joined });
    }
    unsupported.extend(ruts(&value, task.pages, &schema));
    Ok(Extraction {
        value,
        chunks,
        prompt_tokens: spent.prompt_tokens,
        answer_tokens: spent.answer_tokens,
        attempts: spent.attempts,
        seconds: began.elapsed().as_secs_f64(),
        unsupported,
    })
}

/// Will so many more chunks take much longer than the time that is left? Half as much again is forgiven: they are not all alike.
fn is_late(each: Duration, more: usize, left: Duration) -> bool {
    each.saturating_mul(u32::try_from(more).unwrap_or(u32::MAX)) > left * 3 / 2
}

/// The tokens of a question without its document.
async fn overhead(
    server: &Server,
    api: Api,
    task: &Task<'_>,
    schema: &Schema<'_>,
    mark: &str,
) -> Result<u32, Error> {
    let system = prompt::system(schema.source, mark);
    // As long as it can become: a part, and a repetition.
    let broken = prompt::broken("/a-longer-name/0/of-a-property/12", "additionalProperties");
    let user = prompt::user(task.instruction, "", mark, true, Some(&broken));
    let count = |ruler: &Ruler, text: &str| as_tokens(ruler.tokens(0..text.len()));
    if api == Api::OpenAi {
        if let Some(all) = openai::templated(server, &system, &user).await? {
            return Ok(count(&Ruler::of(server, api, &all).await?, &all));
        }
    }
    let all = format!("{system}\n{user}");
    Ok(count(&Ruler::of(server, api, &all).await?, &all).saturating_add(TEMPLATE))
}

fn as_tokens(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn as_size(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX)
}
