-- The rows of one hour's objects as columns. Before: set variable files = the objects' texts, one file each, whose names
-- begin with the log's id. After: a COPY for each event type, see columns.py.

-- A number that fits decimal(38,8) to its last digit; what is longer, has an exponent or is no number stays text.
create macro fits(number) as regexp_full_match(number, '-?0*[0-9]{1,30}([.][0-9]{1,8}0*)?');
-- Nearly all are shorter, and reading text as decimal(38, 8) takes a hundred times as long as as these.
create macro exactly(number) as case
  when regexp_full_match(number, '-?[0-9]{1,10}([.][0-9]{1,8})?') then cast(cast(number as decimal(18, 8)) as decimal(38, 8))
  when regexp_full_match(number, '[0-9]{1,18}([.][0-9]{1,8})?') then
    cast(cast(split_part(number, '.', 1) as bigint) as decimal(38, 8))
    + cast(cast('0.' || split_part(number, '.', 2) as decimal(18, 8)) as decimal(38, 8))
  when fits(number) then cast(number as decimal(38, 8))
end;
create macro otherwise(number) as case when not fits(number) then number end;

create table rows as
with
  -- As lines of text: a reader of JSON would write the numbers in `data` anew, and would refuse half a surrogate pair.
  lines as (
    select line, parse_filename(filename)[:16] as log_id, instr(line, ',"data":') as comma
    from read_csv(getvariable('files'), columns = {line: 'varchar'}, header = false, auto_detect = false, delim = '',
                  quote = '', escape = '', max_line_size = 134217728, buffer_size = 268435456, filename = true)
  ),
  -- `data` is a row's last key, and its first occurrence is the key: in a string its quotes would be escaped.
  parts as materialized (
    select log_id,
      -- All at once, so that each row is parsed once.
      json_extract_string(
        case when comma = 0 then line else line[:comma - 1] || '}' end,
        ['$.event_type', '$.event_time', '$.iso_timestamp', '$.stream_type', '$.symbol', '$.close_price',
         '$.open_price', '$.high_price', '$.low_price', '$.total_traded_volume', '$.total_traded_base_asset_volume']
      ) as head,
      case when comma > 0 then line[comma + 8:-2] end as data
    from lines
  )
select
  head[1] as event_type,
  cast(head[2] as bigint) as event_time,
  strptime(head[3], '%Y-%m-%dT%H-%M-%S.%fZ') as time,
  head[4] as stream_type,
  head[5] as symbol,
  exactly(head[6]) as close_price,
  exactly(head[7]) as open_price,
  exactly(head[8]) as high_price,
  exactly(head[9]) as low_price,
  exactly(head[10]) as total_traded_volume,
  exactly(head[11]) as total_traded_base_asset_volume,
  otherwise(head[6]) as close_price_text,
  otherwise(head[7]) as open_price_text,
  otherwise(head[8]) as high_price_text,
  otherwise(head[9]) as low_price_text,
  otherwise(head[10]) as total_traded_volume_text,
  otherwise(head[11]) as total_traded_base_asset_volume_text,
  data,
  log_id
from parts;
