# User data for a new server, from ../cloud-init/user-data.yaml with your three values in it. It needs no provider: give the
# output to the server resource of yours.
#
#   module "civicum_tune" {
#     source     = "./templates/terraform"
#     deb_url    = "https://packages.example.com/civicum-tune_0.1.0-1_amd64.deb"
#     deb_sha256 = "…"
#   }
#   resource "hcloud_server" "ai" {
#     # …
#     user_data = module.civicum_tune.user_data
#   }

terraform {
  required_version = ">= 1.3"
}

variable "deb_url" {
  description = "Where the server fetches the package."
  type        = string
  validation {
    condition     = can(regex("^https?://[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+$", var.deb_url))
    error_message = "It has to be a http or https address, without quotes and blanks."
  }
}

variable "deb_sha256" {
  description = "The package's SHA-256, from SHA256SUMS."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.deb_sha256))
    error_message = "It has to be 64 hexadecimal digits."
  }
}

variable "profile" {
  description = "A bundled profile; empty: the one that fits the server's memory."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^[a-z0-9-]*$", var.profile))
    error_message = "It has to be the name of a bundled profile, as `civicum-tune profile list` shows them."
  }
}

locals {
  example = file("${path.module}/../cloud-init/user-data.yaml")
  # A signed address may have a $ in it, which means something in what a regular expression is replaced by; $$ is the sign itself.
  url     = replace(var.deb_url, "$", "$$")
  fetched = replace(local.example, "/ url='[^']*'/", " url='${local.url}'")
  checked = replace(local.fetched, "/ sha256='[^']*'/", " sha256='${var.deb_sha256}'")
}

output "user_data" {
  description = "Give it to the server resource as its user data."
  value       = replace(local.checked, "/ profile='[^']*'/", " profile='${var.profile}'")
}
