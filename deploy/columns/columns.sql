-- The rows of one hour's objects as columns. Before: set variable files = the objects' texts, one file each, whose names
-- begin with the log's id. After: a COPY for each event type, see columns.py.

-- A number that fits decimal(38,8) to its last digit; what is longer, has an exponent or is no number stays text.
create macro fits(number) as regexp_full_match(number, '-?0*[0-9]{1,30}([.][0-9]{1,8}0*)?');
create macro exactly(number) as case when fits(number) then cast(number as decimal(38, 8)) end;
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
  parts as (
    select log_id,
      cast(case when comma = 0 then line else line[:comma - 1] || '}' end as json) as head,
      case when comma > 0 then line[comma + 8:-2] end as data
    from lines
  )
select
  head->>'event_type' as event_type,
  cast(head->>'event_time' as bigint) as event_time,
  strptime(head->>'iso_timestamp', '%Y-%m-%dT%H-%M-%S.%fZ') as time,
  head->>'stream_type' as stream_type,
  head->>'symbol' as symbol,
  exactly(head->>'close_price') as close_price,
  exactly(head->>'open_price') as open_price,
  exactly(head->>'high_price') as high_price,
  exactly(head->>'low_price') as low_price,
  exactly(head->>'total_traded_volume') as total_traded_volume,
  exactly(head->>'total_traded_base_asset_volume') as total_traded_base_asset_volume,
  otherwise(head->>'close_price') as close_price_text,
  otherwise(head->>'open_price') as open_price_text,
  otherwise(head->>'high_price') as high_price_text,
  otherwise(head->>'low_price') as low_price_text,
  otherwise(head->>'total_traded_volume') as total_traded_volume_text,
  otherwise(head->>'total_traded_base_asset_volume') as total_traded_base_asset_volume_text,
  data,
  log_id
from parts;
