variable "name" {
  description = "Beginning of the names of all that is made: letters, digits and hyphens."
  type        = string
  default     = "crypto-live"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "A name has 2 to 31 small letters, digits and hyphens, and begins with a letter."
  }
}

# What it delivers to

variable "bucket" {
  description = "Name of the bucket to make. It must be unlike that of any bucket of anybody."
  type        = string
}

variable "folder" {
  description = "Folder of the objects in the bucket (S3_JSONL_DIR_PATH)."
  type        = string
  default     = "batch_jsonl"
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.folder))
    error_message = "The folder has letters, digits, _ and -, and no slash at its ends."
  }
}

variable "table" {
  description = "Name of the DynamoDB table to make."
  type        = string
  default     = "crypto-live-miniticker"
}

variable "kinesis_stream" {
  description = "Name of a Kinesis data stream to make and deliver to as well (KINESIS_STREAM); null: none."
  type        = string
  default     = null
}

variable "kinesis_shards" {
  description = "Shards of the Kinesis stream; null: on demand."
  type        = number
  default     = null
}

variable "kinesis_retention_hours" {
  description = "Hours for which the Kinesis stream keeps a record."
  type        = number
  default     = 24
}

variable "retention_ttl_days" {
  description = "Days after which DynamoDB may delete an item (RETENTION_TTL_DAYS)."
  type        = number
  default     = 1
}

variable "secret" {
  description = "Name of the secret to make, which holds the list of streams."
  type        = string
  default     = "crypto-live.binance_ws"
}

variable "streams" {
  description = "Streams to record, such as btcusdt@miniTicker. Change them here: the next apply writes the secret, and tickwal reads it every five minutes."
  type        = list(string)
  default     = ["btcusdt@miniTicker", "ethusdt@miniTicker"]
  validation {
    condition     = length(var.streams) > 0
    error_message = "There must be a stream."
  }
}

variable "testnet" {
  description = "Whether to record the exchange's test network (TESTNET)."
  type        = bool
  default     = false
}

variable "settings" {
  description = "More settings of tickwal, as docs/settings.md lists them: { MAX_BATCH_SIZE = \"5000\" }. They win over what this module sets."
  type        = map(string)
  default     = {}
}

variable "versioning" {
  description = "Whether the bucket keeps what was replaced or deleted for 30 days. tickwal replaces no object of ticks."
  type        = bool
  default     = false
}

variable "expire_objects_days" {
  description = "Days after which objects of ticks are deleted; 0 keeps them. _logs/ and _gaps/ are never deleted."
  type        = number
  default     = 0
}

variable "archive_objects_days" {
  description = "Days after which objects of ticks move to Glacier Instant Retrieval; 0 leaves them."
  type        = number
  default     = 0
}

variable "kms_key_arn" {
  description = "KMS key (symmetric, of this region) for bucket, volume, secret and Kinesis stream; its own policy must let the account's IAM decide, as the default one does. null: S3's own, and the account's keys for EBS and Secrets Manager."
  type        = string
  default     = null
}

# How many

variable "shards" {
  description = "Number of recorders that share the streams among them (STREAM_SHARD). 1: one recorder has them all."
  type        = number
  default     = 1
  validation {
    condition     = var.shards >= 1 && floor(var.shards) == var.shards
    error_message = "There is at least one shard."
  }
}

variable "replicas" {
  description = "Number of recorders with the same streams, each in another subnet, so that one may be lost."
  type        = number
  default     = 1
  validation {
    condition     = var.replicas >= 1 && floor(var.replicas) == var.replicas
    error_message = "There is at least one replica."
  }
}

# Where and on what it runs

variable "subnet_ids" {
  description = "Subnets for the replicas, one after the other; they need a way to the internet. Empty: those of the default VPC, by their ids; name them where another default subnet may be added. A volume stays in its subnet's zone, so do not reorder them."
  type        = list(string)
  default     = []
}

variable "public_ip" {
  description = "Whether instances get a public address, as a way out; nothing can come in by it. null: as the subnet says, which in a default VPC is yes."
  type        = bool
  default     = null
}

variable "egress_ports" {
  description = "TCP ports that instances may reach: Debian's mirrors, AWS and the exchange."
  type        = set(number)
  default     = [80, 443, 9443]
}

variable "session_manager" {
  description = "Whether a shell on the instances is to be had through Systems Manager's Session Manager, which needs no open port: AWS's agent is installed, and the role gets AWS's own AmazonSSMManagedInstanceCore."
  type        = bool
  default     = false
}

variable "architecture" {
  description = "arm64 or amd64; package and instance type must fit."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "amd64"], var.architecture)
    error_message = "The architecture is arm64 or amd64."
  }
}

variable "instance_type" {
  description = "null: t4g.small for arm64, t3a.small for amd64. docs/sizing.md says for how much that does."
  type        = string
  default     = null
}

variable "ami_id" {
  description = "Image to start from; null: the newest Debian 12. An image that is named does not change under you."
  type        = string
  default     = null
}

variable "volume_gib" {
  description = "Size of the log's volume. It can be made larger later, not smaller."
  type        = number
  default     = 20
}

variable "volume_iops" {
  description = "I/O operations a second of the log's volume; null: 3,000, which gp3 has without extra cost."
  type        = number
  default     = null
}

variable "volume_throughput" {
  description = "MiB/s of the log's volume; null: 125, which gp3 has without extra cost."
  type        = number
  default     = null
}

variable "snapshots_kept" {
  description = "Number of daily snapshots of the volume that are kept; 0: none are made."
  type        = number
  default     = 7
}

variable "snapshot_ids" {
  description = "Snapshots to make volumes of that are lost, by shard and replica: { \"1-1\" = \"snap-…\" }. Another one for a volume that is there would replace it, which the guard refuses. docs/terraform.md."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for key in keys(var.snapshot_ids) : can(regex("^[0-9]+-[0-9]+$", key))])
    error_message = "Snapshots are named by shard and replica, such as \"1-1\"."
  }
}

variable "package" {
  description = "Where the Debian package of `make deb` is: s3://bucket/key, which the instance is allowed to read, or an https:// URL."
  type        = string
  validation {
    condition     = can(regex("^(s3://[^/ ]+/[^ ]+|https://[^ ]+)$", var.package))
    error_message = "The package is at s3://bucket/key or https://…"
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package, in hex; null: not compared."
  type        = string
  default     = null
}

variable "alarm_actions" {
  description = "ARNs that alarms go to, such as that of an SNS topic."
  type        = list(string)
  default     = []
}

variable "allow_destroy" {
  description = "Whether bucket, table and volumes may be deleted with what is in them. Apply true first, then destroy."
  type        = bool
  default     = false
}

variable "wait_for_instances" {
  description = "How long the first apply waits until EC2 has started the instances; where it cannot, apply fails with EC2's reason. \"0\": not at all."
  type        = string
  default     = "10m"
}

variable "require_tls" {
  description = "Whether the bucket refuses whoever comes without TLS. false only where the module is applied to a stand-in."
  type        = bool
  default     = true
}
