-- $1 SHA-256, $2 bytes, $3 name, $4 schema, $5 request key, $6 priority. The document and its first job, or the document
-- that came with this key before.
with made as (
  insert into civicum.document (sha256, bytes, name, schema, request_key) values ($1, $2, $3, $4, $5)
  on conflict (request_key) do nothing
  returning id
), job as (
  insert into civicum.job (queue, document_id, priority) select 'ocr', id, $6 from made returning id
)
select coalesce((select id from made), (select id from civicum.document where request_key = $5)) as id,
  exists (select from made) as is_new,
  coalesce((select sha256 <> $1 or schema is distinct from $4 from civicum.document where request_key = $5), false) as is_other,
  (select count(pg_notify('civicum_job', '')) from job) as told
