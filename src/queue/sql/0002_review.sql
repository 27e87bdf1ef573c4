-- What people say of results, and what became of documents that were kept long enough.

-- Nothing is overwritten: the newest review counts, and those before it stay.
create table civicum.review (
  id bigint generated always as identity primary key,
  document_id bigint not null references civicum.document on delete cascade,
  verdict text not null check (verdict in ('accepted', 'rejected')),
  reviewer text not null check (length(reviewer) between 1 and 100),
  note text check (length(note) <= 2000),
  made_at timestamptz not null default now()
);
create index review_document on civicum.review (document_id, id);
create index review_made on civicum.review (made_at);

-- A document that was deleted leaves its number, its sum and its times, and neither its name nor a byte.
alter table civicum.document add column deleted_at timestamptz;
alter table civicum.document add column deleted_unreviewed boolean;
create index document_deleted on civicum.document (deleted_at) where deleted_at is not null;
create index document_kept on civicum.document (submitted_at) where deleted_at is null;
create index document_file on civicum.document (sha256) where deleted_at is null;
create index result_file on civicum.result (sha256);

-- What its worker deletes without a review, days; null: nothing.
alter table civicum.worker add column keep_unreviewed integer;

-- Files that nobody may need any more: whether one does is looked up before it goes.
create table civicum.trash (
  sha256 text primary key,
  since timestamptz not null default now()
);

-- When nobody works on a document any more: how and when that came about, and what a person said since.
create function civicum.outcome(document bigint)
returns table (state text, ended_at timestamptz, verdict text, reviewer text, note text, reviewed_at timestamptz)
language sql stable as $$
  select
    case
      when d.deleted_at is not null then 'deleted'
      when r.verdict is not null then r.verdict
      when a.state = 'dead' then 'failed'
      when a.state is not null then a.state
      -- Its jobs have left the archive.
      when exists (select from civicum.result x where x.document_id = d.id) then 'done'
      else 'failed'
    end,
    coalesce(a.finished_at, d.submitted_at), r.verdict, r.reviewer, r.note, r.made_at
  from civicum.document d
  left join lateral (select * from civicum.job_archive where document_id = d.id order by id desc, finished_at desc limit 1) a on true
  -- What was said of an attempt before is not said of this one.
  left join lateral (
    select * from civicum.review where document_id = d.id and (a.finished_at is null or made_at >= a.finished_at)
    order by id desc limit 1
  ) r on true
  where d.id = document and not exists (select from civicum.job j where j.document_id = d.id)
$$;
