-- The tables of the benchmark: World and Fortune, and twins with quoted names for entries that quote identifiers.
-- They are built in the database "pristine", a template nobody can connect to afterwards; hello_world is its copy.

CREATE ROLE benchmarkdbuser LOGIN PASSWORD 'benchmarkdbpass';
CREATE DATABASE pristine OWNER benchmarkdbuser;

\connect pristine

CREATE EXTENSION pg_stat_statements;

SET ROLE benchmarkdbuser;

CREATE TABLE world (
    id integer PRIMARY KEY,
    randomnumber integer NOT NULL DEFAULT 0
);

-- A fixed seed: every build of the image holds the same numbers.
SELECT setseed(0.2021) \g /dev/null
INSERT INTO world SELECT id, 1 + floor(random() * 10000)::integer FROM generate_series(1, 10000) AS id;

CREATE TABLE fortune (
    id integer PRIMARY KEY,
    message varchar(2048) NOT NULL
);

INSERT INTO fortune VALUES
    (1, 'fortune: No such file or directory'),
    (2, 'A computer scientist is someone who fixes things that aren''t broken.'),
    (3, 'After enough decimal places, nobody gives a damn.'),
    (4, 'A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1'),
    (5, 'A computer program does what you tell it to do, not what you want it to do.'),
    (6, 'Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen'),
    (7, 'Any program that runs right is obsolete.'),
    (8, 'A list is only as strong as its weakest link. — Donald Knuth'),
    (9, 'Feature: A bug with seniority.'),
    (10, 'Computers make very fast, very accurate mistakes.'),
    (11, '<script>alert("This should not be displayed in a browser alert box.");</script>'),
    (12, 'フレームワークのベンチマーク');

CREATE TABLE "World" (LIKE world INCLUDING ALL);
INSERT INTO "World" SELECT * FROM world ORDER BY id;

CREATE TABLE "Fortune" (LIKE fortune INCLUDING ALL);
INSERT INTO "Fortune" SELECT * FROM fortune ORDER BY id;

RESET ROLE;

-- Statistics for the planner, and no row left that a reader would have to mark as visible.
VACUUM (FREEZE, ANALYZE);

\connect postgres

ALTER DATABASE pristine WITH IS_TEMPLATE true ALLOW_CONNECTIONS false;
CREATE DATABASE hello_world TEMPLATE pristine OWNER benchmarkdbuser;
CHECKPOINT;
