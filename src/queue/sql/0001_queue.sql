-- The document queue. Rows are small: documents and results are files, named by their SHA-256.

create table civicum.document (
  id bigint generated always as identity primary key,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  bytes bigint not null check (bytes >= 0),
  name text not null check (length(name) <= 255),
  -- The schema of what is to be extracted, by its name; none: the text alone.
  schema text check (length(schema) <= 64),
  -- Whoever sends the same key again gets the same document.
  request_key text unique check (length(request_key) <= 200),
  submitted_at timestamptz not null default now()
);

-- What a stage made of a document: one result a stage, however often it ran.
create table civicum.result (
  document_id bigint not null references civicum.document on delete cascade,
  stage text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  bytes bigint not null check (bytes >= 0),
  findings integer not null,
  made_at timestamptz not null default now(),
  primary key (document_id, stage)
);

-- A worker's row is there while it runs. Its session holds an advisory lock with this id: when the session ends, whatever
-- the reason, the lock is gone, and its jobs are known to be lost.
create table civicum.worker (
  id integer generated always as identity primary key,
  name text not null,
  started_at timestamptz not null default now(),
  lost_at timestamptz
);

-- Only what is waiting or in work: finished jobs move to the archive.
-- No index on what a heartbeat changes, and room on each page, so that heartbeats are HOT updates.
create table civicum.job (
  id bigint generated always as identity primary key,
  queue text not null check (length(queue) <= 64),
  status text not null default 'pending' check (status in ('pending', 'running')),
  document_id bigint not null references civicum.document on delete cascade,
  priority smallint not null default 0,
  run_at timestamptz not null default now(),
  attempt integer not null default 0,
  max_attempts integer not null default 5 check (max_attempts > 0),
  -- How often its worker, or the process that read it, was killed over it.
  crashes integer not null default 0,
  max_crashes integer not null default 2 check (max_crashes > 0),
  -- Drawn anew with every claim: who finishes must name the claim that he has. A counter would not do: a claim that a power cut
  -- took back would be followed by one with the same number.
  fence integer not null default 0,
  worker_id integer,
  lease_until timestamptz,
  deadline timestamptz,
  cancel_requested boolean not null default false,
  progress_done integer not null default 0,
  progress_total integer not null default 0,
  last_error text,
  created_at timestamptz not null default now(),
  started_at timestamptz
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 100,
  autovacuum_vacuum_insert_scale_factor = 0.2,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.1
);
create index job_pending on civicum.job (queue, priority desc, run_at, id) where status = 'pending';
create index job_running on civicum.job (id) where status = 'running';
create unique index job_of_document on civicum.job (document_id, queue);

create table civicum.job_archive (
  id bigint not null,
  queue text not null,
  state text not null check (state in ('done', 'dead', 'quarantined', 'cancelled')),
  document_id bigint not null,
  priority smallint not null,
  attempt integer not null,
  max_attempts integer not null,
  crashes integer not null,
  max_crashes integer not null,
  last_error text,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz not null default now()
) partition by range (finished_at);
create index job_archive_document on civicum.job_archive (document_id, id);
create index job_archive_state on civicum.job_archive (queue, state, finished_at);
-- Where a month's partition is missing, nothing is lost.
create table civicum.job_archive_default partition of civicum.job_archive default;

-- Makes the partitions of this month and the next, and drops those that are older than `retain`.
-- It waits for nobody: behind a dump of the database everybody else would wait for it.
create function civicum.keep_archive(retain interval) returns integer language plpgsql set lock_timeout = '1s' as $$
declare
  month date;
  part record;
  dropped integer := 0;
begin
  for month in
    select date_trunc('month', now())::date
    union all select (date_trunc('month', now()) + interval '1 month')::date
  loop
    -- A row that is in the default partition already stands in the way of its month: then it stays there.
    if to_regclass('civicum.job_archive_' || to_char(month, 'YYYY_MM')) is null
      and not exists (select from civicum.job_archive_default
                      where finished_at >= month and finished_at < month + interval '1 month')
    then
      execute format('create table civicum.%I partition of civicum.job_archive for values from (%L) to (%L)',
        'job_archive_' || to_char(month, 'YYYY_MM'), month, (month + interval '1 month')::date);
    end if;
  end loop;
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'civicum.job_archive'::regclass and c.relname ~ '^job_archive_\d{4}_\d{2}$'
  loop
    if to_date(right(part.relname, 7), 'YYYY_MM') + interval '1 month' < now() - retain then
      execute format('drop table civicum.%I', part.relname);
      dropped := dropped + 1;
    end if;
  end loop;
  delete from civicum.job_archive_default where finished_at < now() - retain;
  return dropped;
end $$;

-- Gives jobs back that are running: to the queue with a growing, jittered delay, or to the archive when they had their
-- attempts, killed too often, were cancelled, or can't succeed. Only who has the claim (`fences`) can. Says what became
-- of each.
create function civicum.give_back(ids bigint[], fences integer[], error text, again boolean, crash boolean)
returns table (job_id bigint, became text) language sql as $$
  with mine as materialized (
    select j.id, j.crashes + crash::integer as crashes,
      case
        when j.cancel_requested then 'cancelled'
        when crash and j.crashes + 1 >= j.max_crashes then 'quarantined'
        when not again or j.attempt >= j.max_attempts then 'dead'
        else 'pending'
      end as becomes
    from unnest(ids, fences) as claim (id, fence) join civicum.job j on j.id = claim.id and j.fence = claim.fence
    where j.status = 'running'
    order by j.id
    for update of j
  ), waits as (
    update civicum.job j
    set status = 'pending', worker_id = null, lease_until = null, deadline = null, crashes = mine.crashes,
      progress_done = 0, progress_total = 0, last_error = error,
      -- 5 s, 10 s, 20 s, … to an hour, by half more or less, so that what failed together does not come back together.
      run_at = now() + least(interval '1 hour', interval '5 s' * power(2, least(j.attempt - 1, 10))) * (0.5 + random())
    from mine where j.id = mine.id and mine.becomes = 'pending'
    returning j.id
  ), gone as (
    delete from civicum.job j using mine where j.id = mine.id and mine.becomes <> 'pending'
    returning j.*, mine.becomes, mine.crashes as crashed
  ), archived as (
    insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes,
      last_error, created_at, started_at)
    select id, queue, becomes, document_id, priority, attempt, max_attempts, crashed, max_crashes, error, created_at, started_at
    from gone
  )
  select id, becomes from mine
$$;
