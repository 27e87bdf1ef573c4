//! Services that others run: known by the ends of their host names, so that a finding can say what it is about.

/// What a hosted service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A database or a queue.
    Database,
    /// A language model, or embeddings.
    Model,
    /// Text recognition and document analysis.
    Recognition,
    /// Errors, traces and measurements.
    Telemetry,
    /// Anything of a large provider.
    Cloud,
}

use What::{Cloud, Database, Model, Recognition, Telemetry};

/// The end of a host name, who it is, what it does. The first that fits is taken, so the narrower come first.
const KNOWN: [(&str, &str, What); 78] = [
    ("neon.tech", "Neon", Database),
    ("neon.build", "Neon", Database),
    ("supabase.co", "Supabase", Database),
    ("supabase.com", "Supabase", Database),
    ("rds.amazonaws.com", "Amazon RDS", Database),
    ("redshift.amazonaws.com", "Amazon Redshift", Database),
    ("cache.amazonaws.com", "Amazon ElastiCache", Database),
    ("aivencloud.com", "Aiven", Database),
    ("psdb.cloud", "PlanetScale", Database),
    ("planetscale.com", "PlanetScale", Database),
    ("cockroachlabs.cloud", "CockroachDB Cloud", Database),
    ("timescale.com", "Timescale Cloud", Database),
    ("crunchybridge.com", "Crunchy Bridge", Database),
    ("render.com", "Render", Database),
    ("rlwy.net", "Railway", Database),
    ("railway.app", "Railway", Database),
    ("xata.sh", "Xata", Database),
    ("prisma-data.net", "Prisma", Database),
    ("db.ondigitalocean.com", "DigitalOcean", Database),
    ("postgres.database.azure.com", "Azure Database", Database),
    ("mysql.database.azure.com", "Azure Database", Database),
    ("database.windows.net", "Azure SQL", Database),
    ("redis.cache.windows.net", "Azure Cache", Database),
    ("mongodb.net", "MongoDB Atlas", Database),
    ("upstash.io", "Upstash", Database),
    ("redislabs.com", "Redis Cloud", Database),
    ("redis-cloud.com", "Redis Cloud", Database),
    ("turso.io", "Turso", Database),
    ("firebaseio.com", "Firebase", Database),
    ("elastic-cloud.com", "Elastic Cloud", Database),
    ("snowflakecomputing.com", "Snowflake", Database),
    ("pinecone.io", "Pinecone", Database),
    ("cloud.qdrant.io", "Qdrant Cloud", Database),
    ("weaviate.cloud", "Weaviate Cloud", Database),
    ("weaviate.network", "Weaviate Cloud", Database),
    ("zillizcloud.com", "Zilliz Cloud", Database),
    ("cloudamqp.com", "CloudAMQP", Database),
    ("openai.azure.com", "Azure OpenAI", Model),
    ("openai.com", "OpenAI", Model),
    ("chatgpt.com", "OpenAI", Model),
    ("anthropic.com", "Anthropic", Model),
    ("claude.ai", "Anthropic", Model),
    ("mistral.ai", "Mistral", Model),
    ("cohere.ai", "Cohere", Model),
    ("cohere.com", "Cohere", Model),
    ("groq.com", "Groq", Model),
    ("together.xyz", "Together AI", Model),
    ("together.ai", "Together AI", Model),
    ("fireworks.ai", "Fireworks AI", Model),
    ("replicate.com", "Replicate", Model),
    ("huggingface.co", "Hugging Face", Model),
    ("huggingface.cloud", "Hugging Face", Model),
    ("openrouter.ai", "OpenRouter", Model),
    ("deepseek.com", "DeepSeek", Model),
    ("perplexity.ai", "Perplexity", Model),
    ("x.ai", "xAI", Model),
    ("ollama.com", "Ollama's cloud", Model),
    ("voyageai.com", "Voyage AI", Model),
    ("generativelanguage.googleapis.com", "Google Gemini", Model),
    ("aiplatform.googleapis.com", "Google Vertex AI", Model),
    ("vision.googleapis.com", "Google Vision", Recognition),
    ("documentai.googleapis.com", "Google Document AI", Recognition),
    ("cognitiveservices.azure.com", "Azure AI", Recognition),
    ("ocr.space", "OCR.space", Recognition),
    ("mindee.net", "Mindee", Recognition),
    ("mindee.com", "Mindee", Recognition),
    ("mathpix.com", "Mathpix", Recognition),
    ("llamaindex.ai", "LlamaCloud", Recognition),
    ("unstructuredapp.io", "Unstructured", Recognition),
    ("sentry.io", "Sentry", Telemetry),
    ("datadoghq.com", "Datadog", Telemetry),
    ("datadoghq.eu", "Datadog", Telemetry),
    ("smith.langchain.com", "LangSmith", Telemetry),
    ("cloud.langfuse.com", "Langfuse Cloud", Telemetry),
    ("amazonaws.com", "Amazon Web Services", Cloud),
    ("googleapis.com", "Google Cloud", Cloud),
    ("azure.com", "Microsoft Azure", Cloud),
    ("windows.net", "Microsoft Azure", Cloud),
];

/// Who runs a host of this name, if we know.
pub(super) fn of(host: &str) -> Option<(&'static str, What)> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let fits = |end: &str| host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    KNOWN.iter().find(|(end, ..)| fits(end)).map(|(_, name, what)| (*name, *what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_tells() {
        assert_eq!(of("ep-x.eu-central-1.aws.neon.tech"), Some(("Neon", Database)));
        assert_eq!(of("DB.X.RDS.AMAZONAWS.COM."), Some(("Amazon RDS", Database)));
        assert_eq!(of("bedrock.eu-west-1.amazonaws.com").map(|(_, what)| what), Some(Cloud));
        assert_eq!(of("openai.com"), Some(("OpenAI", Model)));
        for other in ["notopenai.com", "neon.tech.example", "", "x", "neon"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_narrower_end_comes_first() {
        for (at, (end, ..)) in KNOWN.iter().enumerate() {
            assert!(
                !KNOWN[..at].iter().any(|(wider, ..)| end == wider || end.ends_with(&format!(".{wider}"))),
                "{end}"
            );
        }
    }
}
