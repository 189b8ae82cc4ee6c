//! `lethe notification`: whom to tell what became of data that were disclosed to them.

use clap::Subcommand;
use lethe_proto::names::NotificationName;
use lethe_proto::v1::{
    CloseNotificationRequest, GetNotificationRequest, ListNotificationsRequest, NotificationOutcome, Purpose,
};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{values, view};

/// What to do with notifications.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List whom to tell, of which disclosures, and what of.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: data_subject_request.
    List {
        /// Also those of which it is recorded what came of them.
        #[arg(long)]
        all: bool,
    },
    /// Show a notification.
    ///
    /// Needs role privacy_officer or auditor. Purpose by default: data_subject_request.
    Get {
        /// Its name, or the 32 digits at its end.
        notification: String,
    },
    /// Record what came of a notification, once.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Close {
        /// Its name, or the 32 digits at its end.
        notification: String,

        /// What came of it.
        #[arg(long, value_parser = values::notification_outcome())]
        outcome: NotificationOutcome,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::DataSubjectRequest);
    let client = context.connection.open().await?;
    let mut notifications = client.notifications();
    let answer = match command {
        Command::List { all } => {
            let parent = context.connection.tenant()?.to_string();
            let request =
                ListNotificationsRequest { parent, purpose, pending: !all, ..ListNotificationsRequest::default() };
            return list(context, request).await;
        }
        Command::Get { notification } => {
            let name = name(context, &notification)?;
            notifications.get(GetNotificationRequest { name, purpose }).await?
        }
        Command::Close { notification, outcome } => {
            let request = CloseNotificationRequest {
                name: name(context, &notification)?,
                purpose,
                request_id: String::new(),
                outcome: outcome.into(),
            };
            notifications.close(request).await?
        }
    };
    let (json, card) = view::notification(&answer.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

async fn list(context: &Context, mut request: ListNotificationsRequest) -> Result<Exit, Failure> {
    let client = context.connection.open().await?;
    let mut none = true;
    loop {
        let page = client.notifications().list(request.clone()).await?.into_inner();
        for notification in &page.notifications {
            let (json, card) = view::notification(notification);
            context.out.result(&json, &card)?;
        }
        none &= page.notifications.is_empty();
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if none {
        context.out.text("nobody to tell")?;
    }
    Ok(Exit::Done)
}

fn name(context: &Context, notification: &str) -> Result<String, Failure> {
    let name = match notification.contains('/') {
        true => notification.parse::<NotificationName>(),
        false => NotificationName::new(context.connection.tenant()?.tenant(), notification),
    };
    Ok(name.map_err(|error| Failure::usage(error.to_string()))?.to_string())
}
